//! Orders from a file: JSON lines, gzipped or not (the file's first bytes say which).
//!
//! Lines that came out of a data frame hold a bare `NaN` where a value is missing, which is not
//! JSON; it is read as the null that it stands for, and what is published is JSON.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::order::Order;
use crate::json_lines::nulls_for_nan;

/// Reads all orders of a file; an error names the file and the line.
pub(crate) fn read(path: &Path) -> Result<Vec<Order>, String> {
    let say = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = File::open(path).map_err(say)?;
    let mut magic = [0_u8; 2];
    let gzipped = file.read(&mut magic).map_err(say)? == 2 && magic == [0x1f, 0x8b];
    file.seek(SeekFrom::Start(0)).map_err(say)?;
    let bytes: Box<dyn Read> = if gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut orders = Vec::new();
    for (number, line) in BufReader::new(bytes).lines().enumerate() {
        let line = line.map_err(say)?;
        if line.trim().is_empty() {
            continue;
        }
        let order = serde_json::from_str(&nulls_for_nan(&line))
            .map_err(|e| format!("{}:{}: {e}", path.display(), number + 1))?;
        orders.push(order);
    }
    Ok(orders)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::read;

    const LINE: &str = r#"{"id":"C1","type":"OrderCancelled","time":"2010-12-01T08:26:00Z","customer":null,"country":"EIRE","lines":[{"sku":"D","name":null,"quantity":-1,"price":-27.5}]}"#;

    #[test]
    fn plain_and_gzipped_lines_give_the_same_orders() {
        let dir = tempfile::tempdir().unwrap();
        let (plain, zipped) = (dir.path().join("a.jsonl"), dir.path().join("a.jsonl.gz"));
        std::fs::write(&plain, format!("{LINE}\n\n{LINE}\n")).unwrap();
        let mut gz =
            flate2::write::GzEncoder::new(std::fs::File::create(&zipped).unwrap(), flate2::Compression::fast());
        gz.write_all(format!("{LINE}\n{LINE}\n").as_bytes()).unwrap();
        gz.finish().unwrap();
        let orders = read(&plain).unwrap();
        assert_eq!((orders.len(), orders[0].pence(), orders[0].customer.as_deref()), (2, 2750, None));
        assert_eq!(orders, read(&zipped).unwrap());
    }

    #[test]
    fn a_line_that_is_no_order_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.jsonl");
        std::fs::write(&path, format!("{LINE}\n{{\"id\":7}}\n")).unwrap();
        assert!(read(&path).unwrap_err().contains("bad.jsonl:2:"));
        assert!(read(&dir.path().join("none")).unwrap_err().contains("none"));
    }
}
