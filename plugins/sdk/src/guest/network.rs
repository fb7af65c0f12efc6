//! Streams and datagrams behind the component's imports.

use std::any::Any;
use std::time::Duration;

use super::bindings::mustdo::verifier::{tcp, udp};
use super::{Imports, failure, millis};
use crate::Failure;
use crate::host::{Attempt, Network};
use crate::tcp::{Endpoint, Options, Port, Stream};
use crate::udp::Datagrams;

impl Network for Imports {
    fn connect(&self, target: &str, options: &Options) -> Result<Box<dyn Stream>, Failure> {
        stream(tcp::connect(target, &outgoing(options)))
    }

    fn connect_many(&self, target: &str, options: &Options, count: u32) -> Result<Vec<Attempt>, Failure> {
        let opened = tcp::connect_many(target, &outgoing(options), count).map_err(failure)?;
        Ok(opened.into_iter().map(stream).collect())
    }

    fn listen(&self) -> Result<Box<dyn Port>, Failure> {
        let listener = tcp::listen().map_err(failure)?;
        Ok(Box::new(listener))
    }

    fn wait_readable(&self, streams: &[&dyn Stream], timeout: Duration) -> Vec<usize> {
        // Every stream of a component is one of the contract's, so the places are those of the list.
        let known: Vec<&tcp::Connection> =
            streams.iter().filter_map(|stream| stream.as_any().downcast_ref()).collect();
        tcp::wait_readable(&known, millis(timeout)).into_iter().map(|index| index as usize).collect()
    }

    fn open_udp(&self, target: &str, source: Option<&str>) -> Result<Box<dyn Datagrams>, Failure> {
        let socket = udp::open(target, source).map_err(failure)?;
        Ok(Box::new(socket))
    }
}

fn outgoing(options: &Options) -> tcp::Options {
    tcp::Options {
        source: options.source.clone(),
        receive_buffer: options.receive_buffer,
        no_delay: options.no_delay,
        timeout_millis: millis(options.timeout),
    }
}

fn stream(opened: Result<tcp::Connection, super::failures::Failure>) -> Attempt {
    let connection = opened.map_err(failure)?;
    Ok(Box::new(connection))
}

fn endpoint(endpoint: tcp::Endpoint) -> Endpoint {
    Endpoint { address: endpoint.address, port: endpoint.port }
}

impl Stream for tcp::Connection {
    fn read(&self, max: u32, timeout: Duration) -> Result<Vec<u8>, Failure> {
        tcp::Connection::read(self, max, millis(timeout)).map_err(failure)
    }

    fn write(&self, bytes: &[u8], timeout: Duration) -> Result<(), Failure> {
        tcp::Connection::write(self, bytes, millis(timeout)).map_err(failure)
    }

    fn write_some(&self, bytes: &[u8]) -> Result<usize, Failure> {
        let written = tcp::Connection::write_some(self, bytes).map_err(failure)?;
        Ok(usize::try_from(written).unwrap_or(usize::MAX))
    }

    fn shutdown_write(&self) -> Result<(), Failure> {
        tcp::Connection::shutdown_write(self).map_err(failure)
    }

    fn reset(&self) {
        tcp::Connection::reset(self);
    }

    fn local(&self) -> Endpoint {
        endpoint(tcp::Connection::local(self))
    }

    fn peer(&self) -> Endpoint {
        endpoint(tcp::Connection::peer(self))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Port for tcp::Listener {
    fn local(&self) -> Endpoint {
        endpoint(tcp::Listener::local(self))
    }

    fn accept(&self, timeout: Duration) -> Result<Box<dyn Stream>, Failure> {
        stream(tcp::Listener::accept(self, millis(timeout)))
    }
}

impl Datagrams for udp::Socket {
    fn send(&self, datagram: &[u8]) -> Result<(), Failure> {
        udp::Socket::send(self, datagram).map_err(failure)
    }

    fn receive(&self, timeout: Duration) -> Result<Vec<u8>, Failure> {
        udp::Socket::receive(self, millis(timeout)).map_err(failure)
    }
}
