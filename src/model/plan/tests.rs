use super::Plan;

fn refusal(plan: &str) -> String {
    plan.parse::<Plan>().unwrap_err().to_string()
}

fn moving(rest: &str) -> String {
    refusal(&format!(r#"{{"moves": [{{"package": "web", "tag": "live", {rest}}}]}}"#))
}

#[test]
fn a_list_of_values_is_no_plan_and_no_move() {
    for plan in [
        r#"[null, [{"package": "web", "tag": "live", "to": null}]]"#,
        r#"{"moves": [["web", "live", null]]}"#,
    ] {
        let refused = refusal(plan);
        assert!(refused.ends_with("can't be read: invalid type: sequence, expected an object"), "{refused}");
    }
}

#[test]
fn what_is_wrong_with_a_plan_is_said_in_one_line() {
    assert!(refusal("{\"mo\\nves\": []}").contains("unknown field `mo?ves`"));
    assert!(moving(r#""to": 1, "to": 2"#).ends_with("duplicate field `to`"));
    assert!(moving(r#""require": []"#).ends_with("missing field `to`"));
    for to in ["-1", "1.0", "true", "[1]", "18446744073709551616"] {
        let refused = moving(&format!(r#""to": {to}"#));
        assert!(refused.ends_with("not a whole number or a text"), "{refused}");
    }
    assert!(moving(r#""to": 0"#).contains("version \"0\" is not between 1 and 2^53"));
    assert!(moving(r#""to": 1, "expect": null"#).contains("`expect` is null"));
}
