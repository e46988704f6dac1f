//! Values as they stand in files of any format: JSON and EDN, the notation of Clojure.

use std::fmt;
use std::sync::Arc;

use clojure_reader::edn::Edn;

/// Values nested deeper than this are rejected, so that no file can exhaust the stack.
const DEEPEST: usize = 64;

/// A value in a file. Equal values of different formats are equal, apart from keywords, which JSON
/// does not have.
///
/// `Display` and `Debug` print EDN.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// `nil`, `null`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    Text(Arc<str>),
    /// `:name`, without the colon.
    Keyword(Arc<str>),
    /// A vector, a list, an array.
    Seq(Arc<[Value]>),
    /// A set, sorted, without repetition.
    Set(Arc<[Value]>),
    /// A map, sorted by key, each key once.
    Map(Arc<[(Value, Value)]>),
    /// Anything else, as it is printed: numbers with a fraction, symbols, characters, tagged
    /// values.
    Other(Arc<str>),
}

impl Value {
    /// A string.
    pub fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    /// A sequence.
    pub fn seq(values: impl IntoIterator<Item = Value>) -> Value {
        Value::Seq(values.into_iter().collect())
    }

    /// Reads one value in EDN.
    ///
    /// # Errors
    ///
    /// Says in words what is wrong.
    pub fn from_edn(text: &str) -> Result<Value, String> {
        let edn = clojure_reader::edn::read_string(text).map_err(|error| error.to_string())?;
        Value::of_edn(&edn)
    }

    /// The members of a sequence.
    pub fn as_seq(&self) -> Option<&[Value]> {
        match self {
            Value::Seq(values) => Some(values),
            _ => None,
        }
    }

    /// The two members of a sequence of two.
    pub fn as_pair(&self) -> Option<(&Value, &Value)> {
        match self.as_seq() {
            Some([one, two]) => Some((one, two)),
            _ => None,
        }
    }

    /// A whole number.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The name that a keyword, a string or a symbol spells.
    pub fn as_name(&self) -> Option<&str> {
        match self {
            Value::Text(name) | Value::Keyword(name) | Value::Other(name) => Some(name),
            _ => None,
        }
    }

    /// What a map has under a name, be it a keyword or a string.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let Value::Map(entries) = self else { return None };
        let is_it = |key: &Value| {
            matches!(key, Value::Keyword(_) | Value::Text(_)) && key.as_name() == Some(name)
        };
        entries.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value)
    }

    /// As a plain string, for keys of partitions: strings without quotes, the rest as EDN.
    pub fn plain(&self) -> Arc<str> {
        match self {
            Value::Text(text) => text.clone(),
            other => other.to_string().into(),
        }
    }

    pub(super) fn of_edn(edn: &Edn<'_>) -> Result<Value, String> {
        Value::edn_within(edn, DEEPEST)
    }

    fn edn_within(edn: &Edn<'_>, depth: usize) -> Result<Value, String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(format!("values are nested deeper than {DEEPEST}"));
        };
        let all = |items: &mut dyn Iterator<Item = &Edn<'_>>| {
            items.map(|item| Value::edn_within(item, depth)).collect::<Result<Vec<Value>, _>>()
        };
        Ok(match edn {
            Edn::Nil => Value::Nil,
            Edn::Bool(is) => Value::Bool(*is),
            Edn::Int(number) => Value::Int(*number),
            Edn::Str(text) => Value::Text((&**text).into()),
            Edn::Key(name) => Value::Keyword((&**name).into()),
            Edn::Vector(items) | Edn::List(items) => Value::Seq(all(&mut items.iter())?.into()),
            Edn::Set(items) => {
                let mut items = all(&mut items.iter())?;
                items.sort();
                items.dedup();
                Value::Set(items.into())
            }
            Edn::Map(entries) => {
                let entry = |(key, value)| {
                    Ok((Value::edn_within(key, depth)?, Value::edn_within(value, depth)?))
                };
                Value::map(entries.iter().map(entry).collect::<Result<_, String>>()?)?
            }
            // The name of a record says nothing that its fields do not.
            Edn::Tagged(_, inner) if matches!(**inner, Edn::Map(_)) => {
                Value::edn_within(inner, depth)?
            }
            other => {
                // Printing does not recurse; a tagged value may be nested.
                Value::Other(other.to_string().into())
            }
        })
    }

    pub(super) fn of_json(json: serde_json::Value) -> Result<Value, String> {
        use serde_json::Value as Json;
        Ok(match json {
            Json::Null => Value::Nil,
            Json::Bool(is) => Value::Bool(is),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Value::Int(number),
                None => Value::Other(number.to_string().into()),
            },
            Json::String(text) => Value::Text(text.into()),
            // The JSON reader has a limit of depth of its own.
            Json::Array(items) => {
                Value::Seq(items.into_iter().map(Value::of_json).collect::<Result<_, _>>()?)
            }
            Json::Object(entries) => Value::map(
                entries
                    .into_iter()
                    .map(|(key, value)| Ok((Value::Text(key.into()), Value::of_json(value)?)))
                    .collect::<Result<_, String>>()?,
            )?,
        })
    }

    fn map(mut entries: Vec<(Value, Value)>) -> Result<Value, String> {
        entries.sort();
        if let Some(twice) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("a map has the key {} twice", twice[0].0));
        }
        Ok(Value::Map(entries.into()))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn all(f: &mut fmt::Formatter<'_>, values: &[Value]) -> fmt::Result {
            for (at, value) in values.iter().enumerate() {
                write!(f, "{}{value}", if at == 0 { "" } else { " " })?;
            }
            Ok(())
        }
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(is) => write!(f, "{is}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Keyword(name) => write!(f, ":{name}"),
            Value::Other(text) => f.write_str(text),
            Value::Seq(values) => {
                f.write_str("[")?;
                all(f, values)?;
                f.write_str("]")
            }
            Value::Set(values) => {
                f.write_str("#{")?;
                all(f, values)?;
                f.write_str("}")
            }
            Value::Map(entries) => {
                f.write_str("{")?;
                for (at, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key} {value}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn edn_is_read_and_printed_alike() {
        // The entries of a map are in the order of their keys.
        for text in
            ["nil", "true", "-5", "\"a\\n\"", ":k", "[1 [2 3] nil]", "#{1 2}", "{2 3, :a 1}"]
        {
            assert_eq!(Value::from_edn(text).unwrap().to_string(), text);
        }
        assert_eq!(Value::from_edn("(1 2)"), Value::from_edn("[1 2]"));
        assert_eq!(Value::from_edn("#a.Record{:k 1}"), Value::from_edn("{:k 1}"));
        assert_eq!(Value::from_edn("1.5").unwrap().to_string(), "1.5");
    }

    #[test]
    fn what_is_nested_too_deeply_is_an_error() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Value::from_edn(&nested(60)).is_ok());
        assert!(Value::from_edn(&nested(70)).unwrap_err().contains("nested deeper"));
        assert!(Value::from_edn(&nested(200_000)).unwrap_err().contains("nested deeper"));
    }
}
