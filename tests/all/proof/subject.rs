//! What is examined.

use std::{any::Any, collections::BTreeMap, net::SocketAddr};

use mustdo::model::{Address, Launch, Place, Target, TargetName};
use serde_json::{Map, Value};

/// One fresh program or service, or several that belong together.
#[derive(Default)]
pub(crate) struct Subject {
    /// As they would stand in `mustdo.toml`; what has a launch is started by mustdo, under its guard.
    pub(super) targets: BTreeMap<TargetName, Target>,
    /// Laid over the column's parameters.
    pub(super) params: Map<String, Value>,
    /// Dropped when the check is done: whatever keeps it running, and its folders.
    keep: Vec<Box<dyn Any + Send + Sync>>,
}

impl Subject {
    /// A service that speaks HTTP and runs already.
    pub(crate) fn http(name: &str, address: SocketAddr) -> Self {
        Self::default().with(name, Place::Http { address: at(address), prefix: String::new() }, None)
    }

    /// A server of byte streams that runs already.
    pub(crate) fn tcp(name: &str, address: SocketAddr) -> Self {
        Self::default().with(name, Place::Tcp(at(address)), None)
    }

    /// One more target; with a launch mustdo starts it, on a port of its choice where its address has none.
    pub(crate) fn with(mut self, name: &str, place: Place, launch: Option<Launch>) -> Self {
        self.targets.insert(name.parse().unwrap(), Target { place, launch });
        self
    }

    /// One more target: a program that the check may start, without arguments of the plugin's unless `args` has stars.
    pub(crate) fn with_command(self, name: &str, program: &str, args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let place = Place::Command { program: program.to_owned(), args, env: BTreeMap::new(), cwd: None };
        self.with(name, place, None)
    }

    /// One more target: a directory.
    pub(crate) fn with_folder(self, name: &str, path: &str) -> Self {
        self.with(name, Place::Dir(path.to_owned()), None)
    }

    /// Parameters that only this subject needs.
    pub(crate) fn asked_with(mut self, params: Value) -> Self {
        let Value::Object(params) = params else { panic!("parameters are an object") };
        self.params.extend(params);
        self
    }

    /// Keeps `what` until the check is done.
    pub(crate) fn keeping(mut self, what: impl Any + Send + Sync) -> Self {
        self.keep.push(Box::new(what));
        self
    }
}

fn at(address: SocketAddr) -> Address {
    Address { host: address.ip().to_string(), port: Some(address.port()) }
}
