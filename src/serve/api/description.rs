//! The description of the API as OpenAPI 3.1, put together from the schemas of the types.

use super::plain;
use super::problem::Problem;
use super::route::{How, Name};
use crate::domain::token::TokenScope;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What goes over the wire in one direction, by media type.
pub(super) struct Given(Vec<(&'static str, SchemaOf)>);

impl Given {
    pub(super) fn json<T: JsonSchema>() -> Given {
        Given::either().or("application/json", |generator| generator.subschema_for::<T>())
    }

    pub(super) fn text(media: &'static str) -> Given {
        Given::either().or(media, |generator| generator.subschema_for::<String>())
    }

    /// One of several kinds of file, each added by [`Given::or`].
    pub(super) fn either() -> Given {
        Given(Vec::new())
    }

    pub(super) fn or(mut self, media: &'static str, schema: SchemaOf) -> Given {
        self.0.push((media, schema));
        self
    }

    fn content(&self, generator: &mut SchemaGenerator) -> Value {
        let one = |(media, schema): &(&str, SchemaOf)| {
            ((*media).to_owned(), json!({ "schema": schema(generator).to_value() }))
        };
        Value::Object(self.0.iter().map(one).collect())
    }
}

/// Body and answer of a path.
pub(super) struct Entry {
    pub(super) body: Option<Given>,
    pub(super) answer: Given,
}

/// Every path that was described so far.
pub(super) struct Paths {
    generator: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Default for Paths {
    fn default() -> Paths {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Paths { generator: settings.into_generator(), paths: Map::new() }
    }
}

impl Paths {
    pub(super) fn add<P: JsonSchema, Q: JsonSchema>(&mut self, name: Name, entry: Entry) {
        let generator = &mut self.generator;
        let mut taken = parameters::<P>(generator, "path");
        taken.extend(parameters::<Q>(generator, "query"));
        let status = name.how.status().as_u16().to_string();
        let answered = match name.how {
            How::Begin => "It has begun; `Location` says where to follow it.",
            How::Get | How::Post => "Done.",
        };
        let problem = Given::either()
            .or("application/problem+json", |generator| generator.subschema_for::<Problem>())
            .content(generator);
        let (mut operation, mut responses) = (Map::new(), Map::new());
        responses
            .insert(status, json!({ "description": answered, "content": entry.answer.content(generator) }));
        let refused = "It was not done: a problem with one of hsmc's codes.";
        responses.insert("default".to_owned(), json!({ "description": refused, "content": problem }));
        let mut put = |name: &str, value: Value| operation.insert(name.to_owned(), value);
        put("operationId", name.operation.into());
        put("tags", json!([name.group]));
        put("summary", name.summary.into());
        if let Some(scope) = name.scope {
            let words = format!("Takes a token of the scope `{}` or more.", scope.word());
            put("description", words.into());
        }
        put("security", if name.scope.is_some() { json!([{ "token": [] }]) } else { json!([]) });
        put("parameters", taken.into());
        if let Some(body) = entry.body {
            put("requestBody", json!({ "required": true, "content": body.content(generator) }));
        }
        put("responses", responses.into());
        let methods = self.paths.entry(name.path).or_insert_with(|| Map::new().into());
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(name.how.method().to_owned(), operation.into());
        }
    }

    /// The whole document.
    pub(super) fn document(&self) -> String {
        let mut generator = self.generator.clone();
        let schemas = generator.take_definitions(true);
        let scopes = TokenScope::ALL.map(TokenScope::word).join(", ");
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "hsmc",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "The same requests and views as hsmc's command line. Moments are milliseconds since \
                    1970 in UTC. People are asked for by number, or by address in a body, never in a path or query.",
                "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            },
            "servers": [{ "url": "/" }],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": { "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": format!("Made by `hsmc token create --scope SCOPE`; scopes: {scopes}; each includes those before it."),
                } },
            },
        });
        let mut document = document;
        plain::all(&mut document);
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// A parameter is there or not: null is no value of its.
fn not_null(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(kinds)) = object.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
}

/// The members of a type as parameters.
fn parameters<T: JsonSchema>(generator: &mut SchemaGenerator, place: &str) -> Vec<Value> {
    let schema = T::json_schema(generator).to_value();
    let Some(members) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let required = |name: &str| {
        let named = schema.get("required").and_then(Value::as_array);
        place == "path" || named.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)))
    };
    let one = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let words = schema.as_object_mut().and_then(|object| object.remove("description"));
        if !required(name) {
            not_null(&mut schema);
        }
        json!({ "name": name, "in": place, "required": required(name), "description": words.unwrap_or_default(), "schema": schema })
    };
    members.iter().map(one).collect()
}
