use super::Spec;

fn refusal(spec: &str) -> String {
    spec.parse::<Spec>().unwrap_err().to_string()
}

#[test]
fn the_past_of_a_tag_is_written_in_one_way() {
    for text in ["live~1", "live~1000", "live@{2h ago}", "live@{2026-05-01T10:00:00.000Z}"] {
        assert_eq!(text.parse::<Spec>().unwrap().to_string(), text);
    }
    for text in ["live~", "live~0", "live~01", "live~+1", "live~-1", "live~ 1", "live~1001", "live~1~1"] {
        assert!(refusal(text).contains("a number of moves to go back, 1 to 1000"), "{}", refusal(text));
    }
    for text in ["live@", "live@2h ago", "live@{2h ago", "live@{2h ago}~1", "live@{2h ago} "] {
        assert!(refusal(text).contains("does not give its time in braces"), "{}", refusal(text));
    }
}

#[test]
fn only_a_tag_has_a_past() {
    for text in ["42~1", "42@{2h ago}"] {
        let expected = format!("version or tag {text:?} asks for the past of a version; only a tag has one");
        assert_eq!(refusal(text), expected);
    }
    assert!(refusal("latest~1").contains("the past of `latest`"));
    assert_eq!(refusal("LATEST~1"), "tag \"LATEST\" is reserved");
    assert_eq!(refusal("~1"), "tag \"\" is empty");
    assert!(refusal("live~1@{2h ago}").starts_with("tag \"live~1\" holds '~'"));
}
