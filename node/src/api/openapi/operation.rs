//! One operation, as it is described: what it takes, what it answers, what may go wrong.
//!
//! Only what the table of routes does not say. Who may use it, the ids in its path, and the
//! problems that every route of its kind has are added from there ([`super::paths`]).

use axum::http::StatusCode;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::api::problem::Slug;

/// An answer that is no problem.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) what: &'static str,
    /// Media types and their schemas; none where there is no body.
    pub(crate) bodies: Vec<(&'static str, Value)>,
    /// Headers beside those that every answer has, by their names under `components`.
    pub(crate) headers: Vec<&'static str>,
    /// Operations that may follow: operation, its parameter, and where that is in the answer.
    pub(crate) links: Vec<Link>,
}

/// See [`Answer::links`].
pub(crate) struct Link {
    pub(crate) operation: &'static str,
    pub(crate) parameters: Vec<(&'static str, &'static str)>,
    /// The body of the next request, of runtime expressions.
    pub(crate) body: Option<Value>,
}

/// Who refuses a body that is too long, and reads it by its type.
pub(crate) struct Body {
    pub(crate) media: &'static [&'static str],
    pub(crate) schema: Value,
}

/// See the module.
pub(crate) struct Operation {
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: Vec<Value>,
    /// Headers of the request, by their names under `components`.
    pub(crate) headers: Vec<&'static str>,
    pub(crate) body: Option<Body>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) problems: Vec<Slug>,
}

impl Operation {
    pub(crate) const fn new(tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The query string is read into this.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = parameters(&schema_of::<T>());
        self.or(&[Slug::Validation])
    }

    /// The query string may have this word in it.
    pub(crate) fn flag(mut self, name: &str, what: &str) -> Self {
        self.query.push(json!({
            "name": name, "in": "query", "required": false, "allowEmptyValue": true,
            "description": what, "schema": {"type": "string"},
        }));
        self
    }

    /// The body is read into this.
    pub(crate) fn body<T: JsonSchema>(self) -> Self {
        self.json(&["application/json"], schema_of::<T>())
    }

    /// The body is read by a reader of its own, which this schema describes.
    pub(crate) fn json(mut self, media: &'static [&'static str], schema: Value) -> Self {
        self.body = Some(Body { media, schema });
        self.or(&[Slug::Validation, Slug::PayloadTooLarge])
    }

    /// What its session and consistency headers ask is honoured first.
    pub(crate) fn in_session(mut self) -> Self {
        self.headers
            .extend(["Meridian-Session", "Meridian-Consistency"]);
        self.or(&[Slug::Validation, Slug::SessionBehind])
    }

    /// Its key makes it safe to repeat.
    pub(crate) fn keyed(mut self) -> Self {
        self.headers.push("Idempotency-Key");
        self.or(&[
            Slug::IdempotencyKeyMissing,
            Slug::IdempotencyMismatch,
            Slug::IdempotencyInFlight,
            Slug::Validation,
        ])
    }

    /// It is done to what the client has seen, or not at all.
    pub(crate) fn conditional(mut self) -> Self {
        self.headers.push("If-Match");
        self.or(&[Slug::PreconditionFailed, Slug::Validation])
    }

    /// Takes this header, by its name under `components`.
    pub(crate) fn header(mut self, name: &'static str) -> Self {
        self.headers.push(name);
        self
    }

    /// A listing's group is asked.
    pub(crate) fn of_a_group(self) -> Self {
        self.or(&[Slug::NoQuorum, Slug::OutcomeUnknown])
    }

    /// Answers JSON of a schema under `components`.
    pub(crate) fn answers(self, status: StatusCode, what: &'static str, schema: &str) -> Self {
        let reference = json!({"$ref": format!("#/components/schemas/{schema}")});
        self.answers_as(status, what, Some(("application/json", reference)))
    }

    /// Answers nothing but a status.
    pub(crate) fn done(self, status: StatusCode, what: &'static str) -> Self {
        self.answers_as(status, what, None)
    }

    /// Answers a body of some type, or none.
    pub(crate) fn answers_as(
        self,
        status: StatusCode,
        what: &'static str,
        body: Option<(&'static str, Value)>,
    ) -> Self {
        self.answers_in(status, what, body.into_iter().collect())
    }

    /// Answers a body of one of some types.
    pub(crate) fn answers_in(
        mut self,
        status: StatusCode,
        what: &'static str,
        bodies: Vec<(&'static str, Value)>,
    ) -> Self {
        self.answers.push(Answer {
            status,
            what,
            bodies,
            headers: Vec::new(),
            links: Vec::new(),
        });
        self
    }

    /// The last answer has these headers too.
    pub(crate) fn with(mut self, headers: &[&'static str]) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.extend(headers);
        }
        self
    }

    /// The last answer says what another operation needs.
    pub(crate) fn then(
        mut self,
        operation: &'static str,
        parameters: &[(&'static str, &'static str)],
    ) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.links.push(Link {
                operation,
                parameters: parameters.to_vec(),
                body: None,
            });
        }
        self
    }

    /// The same, in the body of that operation.
    pub(crate) fn then_with(mut self, operation: &'static str, body: Value) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.links.push(Link {
                operation,
                parameters: Vec::new(),
                body: Some(body),
            });
        }
        self
    }

    /// May be refused so.
    pub(crate) fn or(mut self, slugs: &[Slug]) -> Self {
        for slug in slugs {
            if !self.problems.contains(slug) {
                self.problems.push(*slug);
            }
        }
        self
    }
}

/// The schema of a type that requests are read into, by its own attributes.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// The properties of a query's type as parameters. A query has no null: what may be left out
/// is left out.
fn parameters(schema: &Value) -> Vec<Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().cloned();
    let described = properties
        .unwrap_or_default()
        .into_iter()
        .map(|(name, schema)| {
            let mut schema = without_null(schema);
            let what = schema
                .as_object_mut()
                .and_then(|it| it.remove("description"));
            json!({
                "name": name,
                "in": "query",
                "required": required.contains(&json!(name)),
                "description": what,
                "schema": schema,
            })
        });
    described.collect()
}

fn without_null(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else {
        return schema;
    };
    let is_null = |kind: &Value| *kind == json!("null") || *kind == json!({"type": "null"});
    for list in ["type", "enum", "anyOf"] {
        if let Some(Value::Array(kinds)) = schema.get_mut(list) {
            kinds.retain(|kind| !kind.is_null() && !is_null(kind));
            if list == "type" && kinds.len() == 1 {
                schema["type"] = kinds[0].clone();
            }
        }
    }
    let only = match schema.get("anyOf") {
        Some(Value::Array(kinds)) if kinds.len() == 1 => kinds[0].as_object().cloned(),
        _ => None,
    };
    if let Some(only) = only {
        schema.remove("anyOf");
        merge(&mut schema, only);
    }
    schema.remove("default");
    Value::Object(schema)
}

/// Adds what is not there yet.
fn merge(schema: &mut Map<String, Value>, more: Map<String, Value>) {
    for (key, value) in more {
        schema.entry(key).or_insert(value);
    }
}
