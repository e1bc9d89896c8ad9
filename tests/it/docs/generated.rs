//! The parts of pages that a program writes: between `<!-- NAME -->` and `<!-- end of NAME -->`.

use crate::support::repository::root;
use std::{fs, path::PathBuf};

/// A part of a page of `docs/`, with what is before and after it.
pub struct Generated {
    path: PathBuf,
    before: String,
    pub text: String,
    after: String,
}

impl Generated {
    pub fn find(page: &str, name: &str) -> Self {
        let path = root().join("docs").join(page);
        let text = fs::read_to_string(&path).unwrap();
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
        let (before, rest) = text.split_once(&begin).expect("the page marks the part");
        let (text, after) = rest.split_once(&end).expect("the page marks the end of the part");
        let (before, after) = (format!("{before}{begin}"), format!("{end}{after}"));
        Self { path, before, text: text.to_owned(), after }
    }

    /// Writes another text in the place of the part.
    pub fn write(&self, text: &str) {
        fs::write(&self.path, format!("{}{text}{}", self.before, self.after)).unwrap();
    }

    /// Fails if the part is not this text; or writes it there, if `variable` is set.
    pub fn must_be(&self, text: &str, variable: &str) {
        if std::env::var_os(variable).is_some() {
            return self.write(text);
        }
        let differs = self.text.lines().zip(text.lines()).find(|(page, now)| page != now);
        assert!(
            self.text == text,
            "{} is not what the program says, at {differs:?}: run this test with {variable}=1, which writes the page, and \
             read the difference",
            self.path.display()
        );
    }
}
