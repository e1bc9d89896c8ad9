//! The page of the JSON lines, from the schemas in `schema/`.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::{collections::BTreeMap, fmt, fmt::Write as _, fs, path::Path};

/// A value in a schema. An object keeps the order of the file, which the objects of `serde_json` do not in every build.
enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    /// Anything else, as it is written.
    Other(String),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a schema")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Object(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Node::Array(all))
            }

            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Other(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Other(value.to_string()))
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Other("null".to_owned()))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Node {
    fn entries(&self) -> &[(String, Node)] {
        if let Self::Object(entries) = self { entries } else { &[] }
    }

    fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn items(&self, name: &str) -> &[Node] {
        if let Some(Self::Array(items)) = self.get(name) { items } else { &[] }
    }

    fn text(&self, name: &str) -> &str {
        if let Some(Self::Text(text)) = self.get(name) { text } else { "" }
    }

    /// Returns a constant as JSON, in the form of code.
    fn constant(&self) -> String {
        match self {
            Self::Text(text) => format!("`\"{text}\"`"),
            Self::Other(text) => format!("`{text}`"),
            Self::Object(_) | Self::Array(_) => panic!("a constant of several values"),
        }
    }

    /// Returns the values that a schema allows, as a reader wants to see them.
    fn kind(&self) -> String {
        if let Some(value) = self.get("const") {
            return value.constant();
        }
        let values = self.items("enum");
        if !values.is_empty() {
            return values.iter().map(Self::constant).collect::<Vec<_>>().join(", ");
        }
        match self.get("type") {
            Some(Self::Text(name)) if name == "array" => match self.get("items").map(Self::kind) {
                Some(item) if !item.is_empty() => format!("array of {item}"),
                _ => name.clone(),
            },
            Some(Self::Text(name)) => name.clone(),
            Some(Self::Array(names)) => {
                let names = names.iter().map(|name| if let Self::Text(name) = name { name } else { "" });
                names.collect::<Vec<_>>().join(" or ")
            }
            _ => String::new(),
        }
    }

    /// Adds the rows of the fields of an object, and of what is in it.
    fn rows(&self, path: &str, page: &mut String) {
        for alternative in self.items("oneOf") {
            alternative.rows(path, page);
        }
        for (name, field) in self.get("properties").map_or(&[][..], Self::entries) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let [kind, said] =
                [field.kind().as_str(), field.text("description")].map(|cell| cell.replace('|', "\\|"));
            writeln!(page, "| `{path}` | {kind} | {said} |").unwrap();
            field.rows(&path, page);
            if let Some(items) = field.get("items") {
                items.rows(&format!("{path}[]"), page);
            }
        }
    }
}

/// The schemas by their file names.
fn schemas() -> BTreeMap<String, Node> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
    };
    fs::read_dir(folder).unwrap().map(read).collect()
}

pub fn page() -> String {
    let schemas = schemas();
    assert!(schemas.len() > 20, "the schemas were not found");
    let mut page = String::new();
    for (name, schema) in schemas {
        let (title, said) = (schema.text("title"), schema.text("description"));
        write!(page, "## {title}\n\n{said} Schema: [`schema/{name}`](../../schema/{name}).\n\n").unwrap();
        page.push_str("| field | type or values | description |\n|---|---|---|\n");
        let mut rows = String::new();
        schema.rows("", &mut rows);
        assert!(!rows.is_empty(), "{name} has no fields");
        writeln!(page, "{rows}").unwrap();
    }
    page
}
