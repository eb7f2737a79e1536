//! The API's own description, OpenAPI 3.1. A route is added together with what it takes and answers, so that the document
//! and the router are made of the same; the shapes are those of the types that are read and written.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::access::Need;
use super::problem::ProblemDocument;
use super::routes::Context;

/// Where schemas stand in the document.
const SCHEMAS: &str = "/components/schemas";

type Make = fn(&mut SchemaGenerator) -> Schema;

/// What a body is.
#[derive(Debug, Clone, Copy)]
enum Content {
    Nothing,
    Json(Make),
    /// Of this media type.
    Other(&'static str),
}

/// Spaces at its ends are no part of a header.
const TEXT: &str = "^[!-~](?:[ -~]*[!-~])?$";
const DIGITS: &str = "^[0-9]+$";

/// A header that a request may carry, what it is, how it looks, and its most characters.
type HeaderText = (&'static str, &'static str, &'static str, usize);

/// What a route takes and answers.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    method: Method,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    parts: Vec<(&'static str, Make)>,
    query: Option<Make>,
    /// What of it there has to be, though its type does not say so.
    needs: &'static [&'static str],
    headers: Vec<HeaderText>,
    body: Content,
    /// Whether there may be none.
    bodiless: bool,
    answers: Vec<(u16, &'static str, Content)>,
}

impl Operation {
    fn new(method: Method, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            parts: Vec::new(),
            query: None,
            needs: &[],
            headers: Vec::new(),
            body: Content::Nothing,
            bodiless: false,
            answers: Vec::new(),
        }
    }

    pub(super) fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::GET, path, id, summary)
    }

    pub(super) fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::POST, path, id, summary)
    }

    pub(super) fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::PUT, path, id, summary)
    }

    pub(super) fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::DELETE, path, id, summary)
    }

    /// A part of the path.
    pub(super) fn part<T: JsonSchema>(mut self, name: &'static str) -> Self {
        self.parts.push((name, SchemaGenerator::subschema_for::<T>));
        self
    }

    pub(super) fn query<T: JsonSchema>(mut self) -> Self {
        // In place: its properties are parameters of their own.
        self.query = Some(T::json_schema);
        self
    }

    /// Of the query, beside what its type says.
    pub(super) fn needs(mut self, keys: &'static [&'static str]) -> Self {
        self.needs = keys;
        self
    }

    pub(super) fn header(mut self, name: &'static str, what: &'static str, most: usize) -> Self {
        self.headers.push((name, what, TEXT, most));
        self
    }

    /// The same of digits alone.
    pub(super) fn header_of_digits(mut self, name: &'static str, what: &'static str, most: usize) -> Self {
        self.headers.push((name, what, DIGITS, most));
        self
    }

    pub(super) fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Content::Json(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// Bytes that the API does not look into.
    pub(super) fn takes_bytes(mut self, media_type: &'static str) -> Self {
        self.body = Content::Other(media_type);
        self
    }

    /// There may be no body.
    pub(super) fn or_nothing(mut self) -> Self {
        self.bodiless = true;
        self
    }

    pub(super) fn answers<T: JsonSchema>(mut self, status: u16, what: &'static str) -> Self {
        self.answers.push((status, what, Content::Json(SchemaGenerator::subschema_for::<T>)));
        self
    }

    pub(super) fn answers_bytes(mut self, status: u16, what: &'static str, media_type: &'static str) -> Self {
        self.answers.push((status, what, Content::Other(media_type)));
        self
    }

    fn filter(&self) -> MethodFilter {
        // Those four are all that there are.
        MethodFilter::try_from(self.method.clone()).unwrap_or(MethodFilter::GET)
    }

    fn document(&self, read: &mut SchemaGenerator, written: &mut SchemaGenerator) -> Value {
        let mut parameters = Vec::new();
        for (name, make) in &self.parts {
            parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": make(read) }));
        }
        if let Some(make) = self.query {
            parameters.extend(query(make(read), self.needs));
        }
        for (name, what, pattern, most) in &self.headers {
            let schema = json!({ "type": "string", "pattern": pattern, "maxLength": most });
            parameters.push(json!({ "name": name, "in": "header", "description": what, "schema": schema }));
        }
        let mut answers = Map::new();
        for (status, what, content) in &self.answers {
            let mut answer = json!({ "description": what });
            if let Some(content) = content.document(written) {
                answer["content"] = content;
            }
            answers.insert(status.to_string(), answer);
        }
        let problem = written.subschema_for::<ProblemDocument>();
        answers.insert(
            "default".to_owned(),
            json!({ "description": "A problem", "content": { "application/problem+json": { "schema": problem } } }),
        );
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [self.tag()],
            "responses": answers,
        });
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        if let Some(mut content) = self.body.document(read) {
            if let (Content::Other(media_type), false) = (self.body, self.bodiless) {
                content[media_type]["schema"] = json!({ "type": "string", "format": "binary", "minLength": 1 });
            }
            operation["requestBody"] = json!({ "required": !self.bodiless, "content": content });
        }
        match Need::of(&self.method, &self.path.replace(['{', '}'], "")) {
            Need::Nothing => operation["security"] = json!([]),
            Need::Any => {}
            Need::Role(role) => operation["x-baton-role"] = json!(role.to_string()),
        }
        operation
    }

    /// The first part of the path that says something.
    fn tag(&self) -> &'static str {
        let rest = self.path.strip_prefix("/v1/").unwrap_or("host");
        rest.split(['/', '-']).next().unwrap_or(rest)
    }
}

impl Content {
    fn document(self, generator: &mut SchemaGenerator) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::Json(make) => Some(json!({ "application/json": { "schema": make(generator) } })),
            Self::Other(media_type) => Some(json!({ (media_type): {} })),
        }
    }
}

/// A parameter for each property.
fn query(schema: Schema, needs: &[&str]) -> Vec<Value> {
    let schema = schema.to_value();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let parameter = |(name, mut schema): (String, Value)| {
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        absent_is_not_null(&mut schema);
        let is_needed = required.contains(&json!(name)) || needs.contains(&name.as_str());
        let mut parameter = json!({ "name": name, "in": "query", "schema": schema });
        if is_needed {
            parameter["required"] = json!(true);
        }
        if let Some(description) = description {
            parameter["description"] = description;
        }
        parameter
    };
    properties.into_iter().map(parameter).collect()
}

/// What need not be there is a null in JSON; in a query it is absent.
fn absent_is_not_null(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|word| word != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(any)) = object.get_mut("anyOf") {
        any.retain(|schema| schema["type"] != "null");
        if let [one] = any.as_slice() {
            *schema = one.clone();
        }
    }
}

/// A number has the bounds of its type.
fn bound(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(bound),
        Value::Object(object) => {
            let most = match object.get("format").and_then(Value::as_str) {
                Some("uint64" | "uint") => Some(u64::MAX),
                Some("uint32") => Some(u64::from(u32::MAX)),
                _ => None,
            };
            if let Some(most) = most {
                object.entry("maximum").or_insert(json!(most));
            }
            object.values_mut().for_each(bound);
        }
        _ => {}
    }
}

/// Routes, with what each of them is.
#[derive(Default)]
pub(super) struct Api {
    router: Router<Arc<Context>>,
    operations: Vec<Operation>,
}

impl Api {
    /// Adds a route.
    pub(super) fn on<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Arc<Context>>,
        T: 'static,
    {
        self.router = self.router.route(operation.path, on(operation.filter(), handler));
        self.operations.push(operation);
        self
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.operations.extend(other.operations);
        self
    }

    pub(super) fn into_parts(self) -> (Router<Arc<Context>>, Operations) {
        (self.router, Operations(self.operations))
    }
}

/// What all routes are.
#[derive(Debug)]
pub(super) struct Operations(Vec<Operation>);

impl Operations {
    /// The whole document.
    pub(super) fn document(&self) -> Value {
        let settings = || {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = Cow::Borrowed(SCHEMAS);
            settings.meta_schema = None;
            settings
        };
        let mut read = settings().for_deserialize().into_generator();
        let mut written = settings().for_serialize().into_generator();
        let mut paths = Map::new();
        for operation in &self.0 {
            let document = operation.document(&mut read, &mut written);
            let path = paths.entry(operation.path).or_insert_with(|| json!({}));
            path[operation.method.as_str().to_lowercase()] = document;
        }
        let mut paths = Value::Object(paths);
        let mut schemas = read.take_definitions(true);
        schemas.extend(written.take_definitions(true));
        let mut schemas = Value::Object(schemas);
        [&mut paths, &mut schemas].into_iter().for_each(bound);
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Baton",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Plugins as supervised actors: look at them, call them, swap their versions, and keep their states.",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/" }],
            "security": [{ "token": [] }],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "Over TCP. The role that a request needs is its `x-baton-role`; the Unix socket needs none.",
                    },
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_absent_from_a_query_is_not_null() {
        #[derive(JsonSchema)]
        #[allow(dead_code)]
        struct Asked {
            /// How many.
            limit: Option<u32>,
            name: String,
        }
        let found = query(SchemaGenerator::default().root_schema_for::<Asked>(), &[]);
        let limit = found.iter().find(|parameter| parameter["name"] == "limit").expect("it is there");
        assert_eq!((&limit["schema"]["type"], &limit["description"]), (&json!("integer"), &json!("How many.")));
        assert_eq!(limit.get("required"), None);
        let name = found.iter().find(|parameter| parameter["name"] == "name").expect("it is there");
        assert_eq!(name["required"], true);
    }
}
