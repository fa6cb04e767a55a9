//! `${VAR}` in values.

/// Replaces `${VAR}`, `${VAR:-default}` and `${VAR:?message}` in `text`; `$$` is a dollar sign, any other `$` stays.
/// As in a shell, the forms with a colon treat an empty variable as an unset one.
///
/// # Errors
/// If a variable is not set and has no default, or if `${` is not closed or holds something else; as one sentence.
pub(super) fn substitute(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            after
        } else if let Some(reference) = after.strip_prefix('{') {
            let end = reference
                .find('}')
                .ok_or_else(|| format!("`${{` is not closed in \"{text}\"; write `$$` for a dollar sign"))?;
            result.push_str(&value_of(&reference[..end], variable)?);
            &reference[end + 1..]
        } else {
            result.push('$');
            after
        };
    }
    result.push_str(rest);
    Ok(result)
}

fn value_of(reference: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, rule) = match reference.split_once(':') {
        Some((name, rule)) => (name, Some(rule)),
        None => (reference, None),
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("`${{{reference}}}` does not name a variable"));
    }
    let value = variable(name);
    let unset = || format!("the environment variable {name} is not set");
    match rule {
        None => value.ok_or_else(unset),
        Some(rule) => match (value.filter(|value| !value.is_empty()), rule.split_at_checked(1)) {
            (Some(value), Some(("-" | "?", _))) => Ok(value),
            (None, Some(("-", default))) => Ok(default.to_owned()),
            (None, Some(("?", ""))) => Err(unset()),
            (None, Some(("?", message))) => Err(format!("{}: {message}", unset())),
            _ => Err(format!("`${{{reference}}}` is neither ${{VAR}}, ${{VAR:-default}} nor ${{VAR:?message}}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<String, String> {
        substitute(text, &|name| match name {
            "HOST" => Some("plant-3".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn variables_are_replaced_inside_a_value() {
        assert_eq!(of("runs/${HOST}/${HOST}x").unwrap(), "runs/plant-3/plant-3x");
        assert_eq!(of("[${EMPTY}]").unwrap(), "[]");
    }

    #[test]
    fn a_default_stands_in_for_an_unset_or_empty_variable() {
        assert_eq!(of("${NONE:-a:b}${EMPTY:-c}${HOST:-d}").unwrap(), "a:bcplant-3");
    }

    #[test]
    fn an_unset_variable_is_named() {
        assert_eq!(of("${NONE}").unwrap_err(), "the environment variable NONE is not set");
        assert_eq!(
            of("${NONE:?set it to the plant}").unwrap_err(),
            "the environment variable NONE is not set: set it to the plant"
        );
    }

    #[test]
    fn two_dollars_are_one_and_a_lone_dollar_stays() {
        assert_eq!(of("$${HOST} 5$ $HOME").unwrap(), "${HOST} 5$ $HOME");
    }

    #[test]
    fn an_unclosed_or_misspelt_reference_is_refused() {
        assert!(of("${HOST").unwrap_err().contains("not closed"));
        assert!(of("${HOST:=x}").unwrap_err().contains("neither"));
        assert!(of("${a b}").unwrap_err().contains("does not name a variable"));
    }
}
