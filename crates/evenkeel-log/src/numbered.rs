//! What there is for each topic number. Numbers are never used again, so they grow, and a damaged
//! one may be anything: memory goes by what is there, not by how high the numbers are.
//!
//! Invariant: ascending, each number once; so nothing stands behind the place of its own number.

/// A thing for each of some numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbered<T>(Vec<(u32, T)>);

impl<T> Numbered<T> {
    /// Only this one, under number 0.
    pub(crate) fn first(thing: T) -> Numbered<T> {
        Numbered(vec![(0, thing)])
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (_, thing) = self.0.get(self.place(number).ok()?)?;
        Some(thing)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let place = self.place(number).ok()?;
        self.0.get_mut(place).map(|(_, thing)| thing)
    }

    /// Puts it under that number. Gives back what was there.
    pub(crate) fn insert(&mut self, number: u32, thing: T) -> Option<T> {
        match self.place(number) {
            Ok(place) => self.0.get_mut(place).map(|(_, there)| std::mem::replace(there, thing)),
            Err(place) => {
                self.0.insert(place, (number, thing));
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        self.place(number).ok().map(|place| self.0.remove(place).1)
    }

    /// All, by their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.0.iter().map(|(number, thing)| (*number, thing))
    }

    /// Where that number stands, or would.
    fn place(&self, number: u32) -> Result<usize, usize> {
        let own = number as usize;
        // Nothing before it was removed.
        if self.0.get(own).is_some_and(|(there, _)| *there == number) {
            return Ok(own);
        }
        let most = own.min(self.0.len());
        self.0[..most].binary_search_by_key(&number, |(there, _)| *there)
    }
}

#[cfg(test)]
mod tests {
    use super::Numbered;

    #[test]
    fn each_is_found_under_its_number_whatever_went_before() {
        let mut numbered = Numbered::first('a');
        for (number, thing) in [(1, 'b'), (2, 'c'), (3, 'd'), (u32::MAX, 'z')] {
            assert_eq!(numbered.insert(number, thing), None);
        }
        assert_eq!(numbered.remove(1), Some('b'));
        assert_eq!(numbered.remove(1), None);
        let found = [0, 1, 2, 3, 4, u32::MAX].map(|number| numbered.get(number).copied());
        assert_eq!(found, [Some('a'), None, Some('c'), Some('d'), None, Some('z')]);
        assert_eq!(numbered.insert(1, 'B'), None);
        assert_eq!(numbered.insert(2, 'C'), Some('c'));
        let all: String = numbered.iter().map(|(_, thing)| *thing).collect();
        assert_eq!(all, "aBCdz");
    }
}
