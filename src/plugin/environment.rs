//! Environment variables, by name and one at a time.

use std::time::Instant;

use crate::model::Capability;

use super::contract::{Failure, environment::Host};
use super::state::State;

impl Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<Option<String>, Failure>> {
        let permit = self.permit(&Capability::Env(name.clone()));
        self.accesses.note(Instant::now(), || format!("env {name}"), permit.as_ref().err());
        Ok(permit.map(|()| self.common.environment.get(&name).cloned()))
    }
}
