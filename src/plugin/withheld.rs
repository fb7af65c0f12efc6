//! The interfaces that this version of mustdo does not offer yet.
//!
//! They are linked, because a plugin made by some languages imports the whole contract whether it uses it or not, and
//! each function that could open something answers `denied`. What they open is of a type without values, so that the
//! methods on it need no answer.

use wasmtime::component::Resource;

use super::contract::{Failure, failures, process, scratch};
use super::state::State;

/// What is never made.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum Nothing {}

fn not_offered<T>(interface: &str) -> Result<T, Failure> {
    Err(Failure::Denied(format!("this version of mustdo does not offer {interface}; update mustdo")))
}

impl State {
    /// The value behind a handle that no plugin can have.
    fn nothing(&self, handle: &Resource<Nothing>) -> wasmtime::Result<&Nothing> {
        Ok(self.table.get(handle)?)
    }

    fn drop_nothing(&mut self, handle: Resource<Nothing>) -> wasmtime::Result<()> {
        match self.table.delete(handle)? {}
    }
}

impl failures::Host for State {}

impl scratch::Host for State {
    async fn open(&mut self, _: Option<String>) -> wasmtime::Result<Result<Resource<Nothing>, Failure>> {
        Ok(not_offered("scratch"))
    }
}

impl scratch::HostWorkspace for State {
    async fn read(
        &mut self,
        workspace: Resource<Nothing>,
        _: String,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        match *self.nothing(&workspace)? {}
    }

    async fn write(
        &mut self,
        workspace: Resource<Nothing>,
        _: String,
        _: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Failure>> {
        match *self.nothing(&workspace)? {}
    }

    async fn remove(
        &mut self,
        workspace: Resource<Nothing>,
        _: String,
    ) -> wasmtime::Result<Result<(), Failure>> {
        match *self.nothing(&workspace)? {}
    }

    fn drop(&mut self, workspace: Resource<Nothing>) -> wasmtime::Result<()> {
        self.drop_nothing(workspace)
    }
}

impl process::Host for State {
    async fn start(
        &mut self,
        _: process::Command,
        _: Option<Resource<Nothing>>,
    ) -> wasmtime::Result<Result<Resource<Nothing>, Failure>> {
        Ok(not_offered("process"))
    }

    async fn attach(&mut self, _: String) -> wasmtime::Result<Result<Resource<Nothing>, Failure>> {
        Ok(not_offered("process"))
    }

    async fn restart(&mut self, _: String, _: u32) -> wasmtime::Result<Result<Resource<Nothing>, Failure>> {
        Ok(not_offered("process"))
    }
}

impl process::HostChild for State {
    async fn write_stdin(
        &mut self,
        child: Resource<Nothing>,
        _: Vec<u8>,
        _: u32,
    ) -> wasmtime::Result<Result<(), Failure>> {
        match *self.nothing(&child)? {}
    }

    fn close_stdin(&mut self, child: Resource<Nothing>) -> wasmtime::Result<()> {
        match *self.nothing(&child)? {}
    }

    async fn read(
        &mut self,
        child: Resource<Nothing>,
        _: process::Output,
        _: u32,
        _: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        match *self.nothing(&child)? {}
    }

    fn send_signal(
        &mut self,
        child: Resource<Nothing>,
        _: process::Signal,
    ) -> wasmtime::Result<Result<(), Failure>> {
        match *self.nothing(&child)? {}
    }

    async fn wait(
        &mut self,
        child: Resource<Nothing>,
        _: u32,
    ) -> wasmtime::Result<Result<Option<process::Exit>, Failure>> {
        match *self.nothing(&child)? {}
    }

    async fn tree(
        &mut self,
        child: Resource<Nothing>,
    ) -> wasmtime::Result<Result<Vec<process::Facts>, Failure>> {
        match *self.nothing(&child)? {}
    }

    async fn sockets(
        &mut self,
        child: Resource<Nothing>,
    ) -> wasmtime::Result<Result<Vec<process::SocketRow>, Failure>> {
        match *self.nothing(&child)? {}
    }

    fn drop(&mut self, child: Resource<Nothing>) -> wasmtime::Result<()> {
        self.drop_nothing(child)
    }
}
