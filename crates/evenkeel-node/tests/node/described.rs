//! The API's description, held against a node: what it says can be read, and nothing is refused as
//! unknown that it names.

use serde_json::Value;

use crate::support::{PATIENCE, start};

#[tokio::test]
async fn every_path_that_the_description_names_is_there_and_answers_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "topics: { orders: { partitions: 1 } }").await;
    let document = node.get("/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut asked = 0;
    let paths = document["paths"].as_object().unwrap().iter();
    for (path, item) in paths.filter(|(path, _)| !path.starts_with("/assets")) {
        let filled = path
            .replace("{topic}", "orders")
            .replace("{offset}", "0")
            .replace("{place}", "0:0")
            .replace("{name}", "x")
            .replace("{id}", "1");
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            let filled = filled.replace("{token}", "x");
            let reply = node.client.send(&method.to_uppercase(), &filled, &[], "".into(), PATIENCE).await.unwrap();
            let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let nothing = said["detail"].as_str().is_some_and(|detail| detail.starts_with("there is nothing at"));
            assert!(reply.status != 405 && !nothing, "{method} {path}: {said}");
            assert!(reply.status != 500, "{method} {path}: {said}");
            if reply.status < 300 {
                let status = reply.status.to_string();
                let described = &operation["responses"];
                assert!(described.get(&status).is_some() || status == "201", "{method} {path}: {status} {described}");
            } else {
                // A page says to people what a problem document says to programs.
                let is_page = operation["responses"]["200"]["content"].get("text/html").is_some();
                assert!(
                    is_page || said["type"].as_str().is_some_and(|t| t.starts_with("urn:evenkeel:error:")),
                    "{method} {path}: {said}"
                );
            }
            asked += 1;
        }
    }
    assert!(asked > 45, "{asked}");
    node.node.shutdown().await;
}
