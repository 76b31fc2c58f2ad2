//! Writes JSON values as YAML on one line, the way people write it: `{list: Course, accept: all}`.

use serde_json::Value;

/// The value as flow-style YAML.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| format!("{}: {}", text(name), flow(member)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(words) => text(words),
        other => other.to_string(),
    }
}

/// A text, quoted where it would be read as something else.
pub(super) fn text(words: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-$/".contains(letter);
    let reserved = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let starts = words.starts_with(|first: char| first.is_ascii_alphabetic() || "$_/".contains(first));
    if starts && words.chars().all(plain) && !reserved.contains(&words.to_ascii_lowercase().as_str()) {
        return words.to_owned();
    }
    if words.contains(['\n', '\r', '\t']) {
        return Value::String(words.to_owned()).to_string();
    }
    format!("'{}'", words.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::flow;

    #[test]
    fn values_are_written_as_people_write_them_and_read_back_as_they_were() {
        let value =
            json!({"x-rollcall": {"list": "Course", "where": "id == value"}, "200": ["no", "it's", null, 1, true]});
        let written = flow(&value);
        assert_eq!(
            written,
            "{x-rollcall: {list: Course, where: 'id == value'}, '200': ['no', 'it''s', null, 1, true]}"
        );
        assert_eq!(serde_yaml::from_str::<serde_json::Value>(&written).unwrap(), value);
    }
}
