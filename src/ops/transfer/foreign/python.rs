//! The tables of the original sacker, written in Python: as they are in DynamoDB, or as `aws dynamodb scan` prints them.
//!
//! `TABLE` has an item for each version: `package_name`, `version`, `basename`, `sha`, `mode`, `metadata`. `TABLE-tags`
//! has one for each tag: `package_name`, `tag`, `version`. The objects are named by their sha. No attribute has a time.

use super::{
    contents::{Foreign, ForeignVersion},
    numbering::MOST,
};
use crate::{
    model::{Digest, FileName, Labels, Mode, PackageName, TagName, Version},
    ops::error::Error,
    store::named::NamedFiles,
};
use serde_json::{Map, Value};
use std::{collections::btree_map::Entry, path::Path, sync::Arc};

/// The attributes of a version that are carried.
const OF_VERSION: [&str; 6] = ["package_name", "version", "basename", "sha", "mode", "metadata"];

/// The items of the two tables.
#[derive(Debug, Clone, Default)]
pub struct PythonTables {
    /// The items of the table of versions.
    pub versions: Vec<Map<String, Value>>,
    /// The items of the table of tags.
    pub tags: Vec<Map<String, Value>>,
}

impl PythonTables {
    /// Reads the items of a table from the output of `aws dynamodb scan`.
    ///
    /// # Errors
    /// [`Error::Input`] for a file that is not such an output.
    pub fn read(path: &Path) -> Result<Vec<Map<String, Value>>, Error> {
        items(path)
    }
}

impl Foreign {
    /// Makes a version of each item of the table of versions. The objects are files that are named by their sha.
    #[must_use]
    pub fn of_python_sacker(tables: PythonTables, objects: Arc<dyn NamedFiles>) -> Self {
        let mut foreign = Self::new(objects);
        for item in tables.versions {
            if let Err(why) = foreign.take_version(&item) {
                foreign.differences.push(format!("a version is left out: {why}: {}", Value::Object(item)));
            }
        }
        for item in tables.tags {
            if let Err(why) = foreign.take_tag(&item) {
                foreign.differences.push(format!("a tag is left out: {why}: {}", Value::Object(item)));
            }
        }
        foreign.note_gaps();
        foreign
    }

    fn take_version(&mut self, item: &Map<String, Value>) -> Result<(), String> {
        let package: PackageName = parsed(item, "package_name")?;
        let version: Version = parsed(item, "version")?;
        if version.get() > MOST {
            return Err(format!("its number is above {MOST}"));
        }
        let sha256: Digest = parsed(item, "sha")?;
        let mut differs = |what: String| self.differences.push(format!("{package} {version}: {what}"));
        let filename = match item.get("basename").map(text) {
            None => None,
            Some(name) => name.parse::<FileName>().map_err(|error| differs(error.to_string())).ok(),
        };
        let mode = item.get("mode").map(|mode| (mode, mode_of(mode)));
        if let Some((mode, None)) = &mode {
            differs(format!("the mode {mode} is not carried"));
        }
        let mut labels = Labels::default();
        for (name, value) in metadata(item.get("metadata")) {
            let pairs: Vec<_> = labels.iter().chain([(name.as_str(), value.as_str())]).collect();
            let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
            match Labels::parse(pairs.iter().map(String::as_str)) {
                Ok(all) => labels = all,
                Err(error) => differs(format!("the metadata {name} is not carried: {error}")),
            }
        }
        for name in item.keys().filter(|name| !OF_VERSION.contains(&name.as_str())) {
            differs(format!("the attribute {name} is not carried"));
        }
        let (name, mode) = (sha256.to_string(), mode.and_then(|(_, mode)| mode));
        let foreign =
            ForeignVersion { sha256: Some(sha256), filename, mode, labels, ..ForeignVersion::new(name) };
        match self.packages.entry(package).or_default().entry(version) {
            Entry::Vacant(free) => {
                free.insert(foreign);
                Ok(())
            }
            Entry::Occupied(_) => Err("the number is given twice".to_owned()),
        }
    }

    fn take_tag(&mut self, item: &Map<String, Value>) -> Result<(), String> {
        let package: PackageName = parsed(item, "package_name")?;
        let tag: TagName = parsed(item, "tag")?;
        let version: Version = parsed(item, "version")?;
        if !self.packages.get(&package).is_some_and(|versions| versions.contains_key(&version)) {
            return Err("there is no such version".to_owned());
        }
        self.tags.entry(package).or_default().insert(tag, version);
        Ok(())
    }
}

/// Reads the items of a table, with DynamoDB's types (`{"S": "…"}`) or as plain JSON.
fn items(path: &Path) -> Result<Vec<Map<String, Value>>, Error> {
    let failed = |why: String| Error::Input { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let scan: Value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let items = scan.get("Items").unwrap_or(&scan).as_array();
    let items = items.ok_or_else(|| failed("it is not the output of `aws dynamodb scan`".to_owned()))?;
    let object = |item: &Value| match plain(item) {
        Value::Object(item) => Ok(item),
        _ => Err(failed("it has an item that is no object".to_owned())),
    };
    items.iter().map(object).collect()
}

/// Returns a value without DynamoDB's types.
fn plain(value: &Value) -> Value {
    let Value::Object(fields) = value else { return value.clone() };
    if let (1, Some((name, inner))) = (fields.len(), fields.iter().next()) {
        match (name.as_str(), inner) {
            ("S" | "N" | "BOOL", Value::String(_) | Value::Bool(_)) => return inner.clone(),
            ("NULL", _) => return Value::Null,
            ("M", Value::Object(_)) => return plain(inner),
            ("L", Value::Array(values)) => return values.iter().map(plain).collect(),
            _ => {}
        }
    }
    Value::Object(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn parsed<T: std::str::FromStr>(item: &Map<String, Value>, name: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    let value = item.get(name).ok_or_else(|| format!("it has no {name}"))?;
    text(value).parse().map_err(|error: T::Err| error.to_string())
}

/// Returns permission bits: a decimal number, as Python's `os.stat` gives it, or octal with `0o` or a leading 0.
fn mode_of(value: &Value) -> Option<Mode> {
    let text = text(value);
    let octal = text.strip_prefix("0o").or_else(|| text.strip_prefix('0').filter(|rest| !rest.is_empty()));
    let bits = match octal {
        Some(octal) => u32::from_str_radix(octal, 8).ok()?,
        None => text.parse().ok()?,
    };
    Some(Mode::from(bits))
}

/// Returns the names and values of metadata: a map, or a map as JSON text. Values that are no text are JSON.
fn metadata(value: Option<&Value>) -> Vec<(String, String)> {
    let parsed = match value {
        Some(Value::String(json)) => {
            serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.clone()))
        }
        Some(value) => value.clone(),
        None => Value::Null,
    };
    match parsed {
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, text(&value))).collect(),
        Value::Null => Vec::new(),
        other => vec![("metadata".to_owned(), text(&other))],
    }
}
