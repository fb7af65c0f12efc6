//! The interfaces that this version of mustdo does not offer yet.
//!
//! They are linked, because a plugin made by some languages imports the whole contract whether it uses it or not, and
//! each function that could open something answers `denied`. What they open is of a type without values, so that the
//! methods on it need no answer.

use wasmtime::component::Resource;

use super::contract::{Failure, failures, tcp, udp};
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

impl tcp::Host for State {
    async fn connect(
        &mut self,
        _: String,
        _: tcp::Options,
    ) -> wasmtime::Result<Result<Resource<Nothing>, Failure>> {
        Ok(not_offered("tcp"))
    }

    async fn connect_many(
        &mut self,
        _: String,
        _: tcp::Options,
        _: u32,
    ) -> wasmtime::Result<Result<Vec<Result<Resource<Nothing>, Failure>>, Failure>> {
        Ok(not_offered("tcp"))
    }

    fn listen(&mut self) -> wasmtime::Result<Result<Resource<Nothing>, Failure>> {
        Ok(not_offered("tcp"))
    }

    async fn wait_readable(&mut self, _: Vec<Resource<Nothing>>, _: u32) -> wasmtime::Result<Vec<u32>> {
        // No connection can be among them.
        Ok(Vec::new())
    }
}

impl tcp::HostConnection for State {
    async fn read(
        &mut self,
        connection: Resource<Nothing>,
        _: u32,
        _: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        match *self.nothing(&connection)? {}
    }

    async fn write(
        &mut self,
        connection: Resource<Nothing>,
        _: Vec<u8>,
        _: u32,
    ) -> wasmtime::Result<Result<(), Failure>> {
        match *self.nothing(&connection)? {}
    }

    fn write_some(
        &mut self,
        connection: Resource<Nothing>,
        _: Vec<u8>,
    ) -> wasmtime::Result<Result<u64, Failure>> {
        match *self.nothing(&connection)? {}
    }

    fn shutdown_write(&mut self, connection: Resource<Nothing>) -> wasmtime::Result<Result<(), Failure>> {
        match *self.nothing(&connection)? {}
    }

    fn reset(&mut self, connection: Resource<Nothing>) -> wasmtime::Result<()> {
        match *self.nothing(&connection)? {}
    }

    fn local(&mut self, connection: Resource<Nothing>) -> wasmtime::Result<tcp::Endpoint> {
        match *self.nothing(&connection)? {}
    }

    fn peer(&mut self, connection: Resource<Nothing>) -> wasmtime::Result<tcp::Endpoint> {
        match *self.nothing(&connection)? {}
    }

    fn drop(&mut self, connection: Resource<Nothing>) -> wasmtime::Result<()> {
        self.drop_nothing(connection)
    }
}

impl tcp::HostListener for State {
    fn local(&mut self, listener: Resource<Nothing>) -> wasmtime::Result<tcp::Endpoint> {
        match *self.nothing(&listener)? {}
    }

    async fn accept(
        &mut self,
        listener: Resource<Nothing>,
        _: u32,
    ) -> wasmtime::Result<Result<Resource<Nothing>, Failure>> {
        match *self.nothing(&listener)? {}
    }

    fn drop(&mut self, listener: Resource<Nothing>) -> wasmtime::Result<()> {
        self.drop_nothing(listener)
    }
}

impl udp::Host for State {
    async fn open(
        &mut self,
        _: String,
        _: Option<String>,
    ) -> wasmtime::Result<Result<Resource<Nothing>, Failure>> {
        Ok(not_offered("udp"))
    }
}

impl udp::HostSocket for State {
    async fn send(&mut self, socket: Resource<Nothing>, _: Vec<u8>) -> wasmtime::Result<Result<(), Failure>> {
        match *self.nothing(&socket)? {}
    }

    async fn receive(
        &mut self,
        socket: Resource<Nothing>,
        _: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        match *self.nothing(&socket)? {}
    }

    fn drop(&mut self, socket: Resource<Nothing>) -> wasmtime::Result<()> {
        self.drop_nothing(socket)
    }
}
