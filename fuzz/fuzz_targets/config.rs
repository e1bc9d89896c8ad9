//! The configuration file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sacker::fuzzing::configuration;
use serde_json::Value;

const KNOWN: [&str; 2] = ["ledger", "store"];

fuzz_target!(|text: &str| {
    let json: Option<Value> = serde_json::from_str(text).ok();
    match (configuration(text), json) {
        (Ok(_), None) => panic!("{text:?} is no JSON and was accepted"),
        (Ok((ledger, store)), Some(json)) => {
            let Value::Object(file) = json else { panic!("{text:?} is no object and was accepted") };
            assert!(file.keys().all(|key| KNOWN.contains(&key.as_str())), "{text:?} was accepted");
            let given = |key: &str| file.get(key).filter(|value| !value.is_null()).cloned();
            assert_eq!((ledger.map(Value::from), store.map(Value::from)), (given("ledger"), given("store")));
        }
        (Err(reported), json) => {
            assert!(reported.contains("sacker.json, line "), "{reported:?} names no place");
            let Some(Value::Object(file)) = json else { return };
            // Given twice, which a map doesn't show.
            if reported.contains("duplicate field") {
                return;
            }
            let unknown = || file.keys().filter(|key| !KNOWN.contains(&key.as_str()));
            let named = unknown().any(|key| reported.contains(&format!("unknown field `{key}`")));
            let mistyped =
                KNOWN.iter().filter_map(|key| file.get(*key)).any(|it| !it.is_string() && !it.is_null());
            assert!(named || mistyped, "{text:?}: {reported:?} does not say what is wrong");
        }
    }
});
