//! Holds what a command printed against the schema.

use std::fs;
use std::path::Path;
use std::process::Output;

use boon::{Compiler, Schemas};
use serde_json::Value;

pub struct Checker {
    schemas: Schemas,
    schema: boon::SchemaIndex,
}

impl Checker {
    pub fn new() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.schema.json");
        let schema = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("bytesplice.json", schema).unwrap();
        let schema = compiler.compile("bytesplice.json", &mut schemas).unwrap();
        Self { schemas, schema }
    }

    /// The one object that a command printed, which ended with this code.
    #[track_caller]
    pub fn check(&self, output: &Output, code: i32) -> Value {
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.trim_end().chars().all(|character| !character.is_control()), "{text:?}");
        let object: Value = serde_json::from_str(&text).unwrap();
        if let Err(error) = self.schemas.validate(&object, self.schema) {
            panic!("{object}: {error:#}");
        }
        object
    }
}
