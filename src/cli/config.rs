//! The locations of the ledger and the store: from a flag, else the environment, else the file, else the embedded
//! default.

use super::environment::Environment;
use crate::{
    failpoint,
    location::{self, LedgerUrl, StoreUrl},
};
use serde::Deserialize;
use std::{
    fmt,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The values of the flags.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags<'a> {
    pub config: Option<&'a Path>,
    pub ledger: Option<&'a str>,
    pub store: Option<&'a str>,
}

/// The ledger and the store to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub ledger: LedgerUrl,
    pub store: StoreUrl,
    /// The directory of both, if nothing is configured.
    pub embedded: Option<PathBuf>,
    /// The origins of the ledger and of the store.
    pub origins: [Origin; 2],
}

/// The origin of a setting, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    File(PathBuf, &'static str),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File(path, key) => write!(f, "`{key}` in {}", path.display()),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// An error in the configuration.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{origin}: {source}")]
    Url { origin: Origin, source: location::Error },
    #[error("{origin} sets the {given}, but the {missing} is not set")]
    Half { origin: Origin, given: &'static str, missing: &'static str },
    #[error("{0} is set, but empty")]
    Empty(&'static str),
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    #[error("can't read the configuration file {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the configuration file {} is writable by every user", path.display())]
    Open { path: PathBuf },
    #[error("the configuration file {}, line {}, column {}", path.display(), source.line(), source.column())]
    Parse { path: PathBuf, source: serde_json::Error },
    #[error("nothing is configured, and there is no default: HOME is not set to an absolute path")]
    NoHome,
    #[error("nothing is configured, and CI is set")]
    Ci,
}

/// The content of `~/.sacker.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub ledger: Option<String>,
    pub store: Option<String>,
}

const FILE: &str = ".sacker.json";
/// The largest accepted configuration file, in bytes.
const MOST: u64 = 1 << 20;

impl Settings {
    /// Finds the settings. Reads no file but the configuration file.
    pub fn find(flags: Flags<'_>, environment: &Environment) -> Result<Self, Error> {
        let mut ledger = of_flag_or_variable(flags.ledger, "--ledger", environment, "SACKER_LEDGER")?;
        let mut store = of_flag_or_variable(flags.store, "--store", environment, "SACKER_STORE")?;
        // A file that is named explicitly must be valid even if none of its values is used.
        let named = match flags.config {
            Some(path) => Some(path.to_owned()),
            None => variable(environment, "SACKER_CONFIG")?.map(PathBuf::from),
        };
        if named.is_some() || ledger.is_none() || store.is_none() {
            let default = || environment.home().map(|home| home.join(FILE));
            let is_named = named.is_some();
            if let Some(path) = named.or_else(default) {
                let file = read(&path, is_named)?;
                let of_file = |value: Option<String>, key| Some((Origin::File(path.clone(), key), value?));
                ledger = ledger.or_else(|| of_file(file.ledger, "ledger"));
                store = store.or_else(|| of_file(file.store, "store"));
            }
        }
        match (ledger, store) {
            (Some(ledger), Some(store)) => {
                let origins = [ledger.0.clone(), store.0.clone()];
                Ok(Self { ledger: parse(ledger)?, store: parse(store)?, embedded: None, origins })
            }
            (Some((origin, _)), None) => Err(Error::Half { origin, given: "ledger", missing: "store" }),
            (None, Some((origin, _))) => Err(Error::Half { origin, given: "store", missing: "ledger" }),
            (None, None) => {
                let directory = environment.data().ok_or(Error::NoHome)?;
                Ok(Self {
                    ledger: LedgerUrl::Directory(directory.join("ledger")),
                    store: StoreUrl::Directory(directory.join("store")),
                    embedded: Some(directory),
                    origins: [Origin::Default, Origin::Default],
                })
            }
        }
    }

    /// Returns an error if the settings are the embedded default and CI is set: a pipeline that lacks a variable must
    /// not publish to its local disk.
    pub fn allow_change(&self, environment: &Environment) -> Result<(), Error> {
        if self.embedded.is_some() && environment.filled("CI").is_some() { Err(Error::Ci) } else { Ok(()) }
    }
}

fn of_flag_or_variable(
    flag: Option<&str>,
    flag_name: &'static str,
    environment: &Environment,
    variable_name: &'static str,
) -> Result<Option<(Origin, String)>, Error> {
    match flag {
        Some("") => Err(Error::Empty(flag_name)),
        Some(value) => Ok(Some((Origin::Flag(flag_name), value.to_owned()))),
        None => {
            Ok(variable(environment, variable_name)?.map(|value| (Origin::Variable(variable_name), value)))
        }
    }
}

fn variable(environment: &Environment, name: &'static str) -> Result<Option<String>, Error> {
    let Some(value) = environment.get(name) else { return Ok(None) };
    if value.is_empty() {
        return Err(Error::Empty(name));
    }
    value.into_string().map(Some).map_err(|_| Error::NotText(name))
}

fn read(path: &Path, must_exist: bool) -> Result<File, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = match failpoint::errno("config").and_then(|()| std::fs::File::open(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => return Ok(File::default()),
        Err(source) => return Err(failed(source)),
    };
    // A user who can change the file controls what is downloaded and run here. (Groups are trusted: many systems give
    // every user a group of their own, and make new files writable by it.)
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_file() && metadata.mode() & 0o002 != 0 {
        return Err(Error::Open { path: path.to_owned() });
    }
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MOST {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    parse_file(path, &text)
}

/// Parses the text of a configuration file.
pub(super) fn parse_file(path: &Path, text: &str) -> Result<File, Error> {
    // serde would also accept a list of the values.
    serde_json::from_str::<serde_json::Map<_, _>>(text)
        .and_then(|_| serde_json::from_str(text))
        .map_err(|source| Error::Parse { path: path.to_owned(), source })
}

fn parse<T: FromStr<Err = location::Error>>((origin, url): (Origin, String)) -> Result<T, Error> {
    url.parse().map_err(|source| Error::Url { origin, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Environment::new(move |name| variables.get(name).map(Into::into))
    }

    fn find(flags: Flags<'_>, variables: &[(&str, &str)]) -> Result<(String, String), String> {
        let settings = Settings::find(flags, &environment(variables)).map_err(|error| error.to_string())?;
        Ok((settings.ledger.to_string(), settings.store.to_string()))
    }

    fn both(ledger: &str, store: &str) -> (String, String) {
        (format!("dynamodb://{ledger}"), format!("s3://{store}"))
    }

    fn home(file: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(FILE), file).unwrap();
        home
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_file_each_by_itself() {
        let home = home(r#"{"ledger": "dynamodb://file", "store": "s3://file"}"#);
        let home = home.path().to_str().unwrap();
        assert_eq!(find(Flags::default(), &[("HOME", home)]), Ok(both("file", "file")));
        let variables = [("HOME", home), ("SACKER_STORE", "s3://env")];
        assert_eq!(find(Flags::default(), &variables), Ok(both("file", "env")));
        let variables = [("HOME", home), ("SACKER_STORE", "s3://env"), ("SACKER_LEDGER", "dynamodb://env")];
        assert_eq!(find(Flags::default(), &variables), Ok(both("env", "env")));
        let flags = Flags { ledger: Some("dynamodb://flag"), ..Flags::default() };
        assert_eq!(find(flags, &variables), Ok(both("flag", "env")));
        let flags = Flags { store: Some("s3://flag"), ..flags };
        assert_eq!(find(flags, &variables), Ok(both("flag", "flag")));
    }

    #[test]
    fn a_named_file_takes_the_place_of_the_default_one() {
        let (default, named, other) = (
            home(r#"{"ledger": "dynamodb://default", "store": "s3://default"}"#),
            home(r#"{"ledger": "dynamodb://named", "store": "s3://named"}"#),
            home(r#"{"ledger": "dynamodb://other", "store": "s3://other"}"#),
        );
        let (named, other) = (named.path().join(FILE), other.path().join(FILE));
        let variables =
            [("HOME", default.path().to_str().unwrap()), ("SACKER_CONFIG", named.to_str().unwrap())];
        assert_eq!(find(Flags::default(), &variables), Ok(both("named", "named")));
        let flags = Flags { config: Some(&other), ..Flags::default() };
        assert_eq!(find(flags, &variables), Ok(both("other", "other")));
    }

    #[test]
    fn a_named_file_must_be_there_and_the_default_one_need_not() {
        let empty = tempfile::tempdir().unwrap();
        let home = empty.path().to_str().unwrap();
        let missing = empty.path().join("missing.json");
        let both = Flags { ledger: Some("dynamodb://abc"), store: Some("s3://abc"), config: Some(&missing) };
        let wrong = format!("can't read the configuration file {}", missing.display());
        assert_eq!(find(both, &[("HOME", home)]), Err(wrong.clone()));
        let variables = [("HOME", home), ("SACKER_CONFIG", missing.to_str().unwrap())];
        assert_eq!(find(Flags::default(), &variables), Err(wrong));
        let settings = Settings::find(Flags::default(), &environment(&[("HOME", home)])).unwrap();
        assert_eq!(settings.embedded, Some(empty.path().join(".local/share/sacker")));
    }

    #[test]
    fn half_a_configuration_says_which_half_is_missing() {
        let flags = Flags { ledger: Some("dynamodb://abc"), ..Flags::default() };
        assert_eq!(find(flags, &[]), Err("--ledger sets the ledger, but the store is not set".to_owned()));
        let variables = [("SACKER_STORE", "s3://abc")];
        let wrong = "SACKER_STORE sets the store, but the ledger is not set".to_owned();
        assert_eq!(find(Flags::default(), &variables), Err(wrong));
    }

    #[test]
    fn an_empty_variable_is_an_error_unless_a_flag_takes_its_place() {
        for name in ["SACKER_LEDGER", "SACKER_STORE", "SACKER_CONFIG"] {
            let wrong = format!("{name} is set, but empty");
            assert_eq!(find(Flags::default(), &[("HOME", "/nowhere"), (name, "")]), Err(wrong));
        }
        let flags = Flags { ledger: Some("dynamodb://abc"), store: Some("s3://abc"), ..Flags::default() };
        assert_eq!(find(flags, &[("SACKER_LEDGER", "")]), Ok(both("abc", "abc")));
    }

    #[test]
    fn a_wrong_file_is_reported_with_the_place() {
        let reported = |text| {
            let home = home(text);
            let error =
                Settings::find(Flags::default(), &environment(&[("HOME", home.path().to_str().unwrap())]))
                    .unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            (error.to_string().rsplit_once(".json").unwrap().1.to_owned(), source)
        };
        let (place, why) = reported("{\n  \"ledgr\": \"x\" }");
        assert_eq!(place, ", line 2, column 9");
        assert!(why.contains("unknown field `ledgr`"), "{why}");
        let (place, why) = reported("{\n\n ledger }");
        assert_eq!(place, ", line 3, column 2");
        assert!(why.contains("key must be a string"), "{why}");
        let (place, why) = reported(r#"["dynamodb://abc", "s3://abc"]"#);
        assert_eq!(place, ", line 1, column 0");
        assert!(why.contains("invalid type: sequence, expected a map"), "{why}");
    }

    #[test]
    fn a_wrong_url_is_reported_with_its_origin() {
        let variables = [("SACKER_LEDGER", "dynamo://eu-west-1/x"), ("SACKER_STORE", "s3://abc")];
        let wrong = find(Flags::default(), &variables).unwrap_err();
        assert!(wrong.starts_with("SACKER_LEDGER: ledger URL \"dynamo://eu-west-1/x\""), "{wrong}");
        let home = home(r#"{"ledger": "dynamodb://abc", "store": "file:relative"}"#);
        let wrong = find(Flags::default(), &[("HOME", home.path().to_str().unwrap())]).unwrap_err();
        assert!(wrong.starts_with("`store` in ") && wrong.contains("must be absolute"), "{wrong}");
    }

    #[test]
    fn the_default_is_below_the_data_directory() {
        let embedded = |variables: &[(&str, &str)]| {
            Settings::find(Flags::default(), &environment(variables))
                .map(|settings| settings.embedded.unwrap())
        };
        let home = ("HOME", "/nowhere/home");
        assert_eq!(embedded(&[home]).unwrap(), Path::new("/nowhere/home/.local/share/sacker"));
        assert_eq!(
            embedded(&[home, ("XDG_DATA_HOME", "/nowhere/data")]).unwrap(),
            Path::new("/nowhere/data/sacker")
        );
        // The specification says to ignore a path that is not absolute.
        assert_eq!(
            embedded(&[home, ("XDG_DATA_HOME", "data")]).unwrap(),
            Path::new("/nowhere/home/.local/share/sacker")
        );
        assert!(matches!(embedded(&[]), Err(Error::NoHome)));
        assert!(matches!(embedded(&[("HOME", "")]), Err(Error::NoHome)));
        assert!(matches!(embedded(&[("HOME", "relative")]), Err(Error::NoHome)));
    }

    #[test]
    fn a_pipeline_changes_only_what_was_configured() {
        let home = ("HOME", "/nowhere");
        let allowed = |flags, variables: &[(&str, &str)]| {
            let environment = environment(variables);
            Settings::find(flags, &environment).unwrap().allow_change(&environment)
        };
        assert!(matches!(allowed(Flags::default(), &[home, ("CI", "true")]), Err(Error::Ci)));
        allowed(Flags::default(), &[home, ("CI", "")]).unwrap();
        allowed(Flags::default(), &[home]).unwrap();
        let explicit = Flags { ledger: Some("file:///l"), store: Some("file:///s"), config: None };
        allowed(explicit, &[home, ("CI", "true")]).unwrap();
    }
}
