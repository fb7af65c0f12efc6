//! Read-only views of directory targets.

mod root;
mod secret;
mod tree;

use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::Resource;

use crate::model::{Capability, Endpoint};

use super::contract::Failure;
use super::contract::files::{Entry, Host, HostTree};
use super::state::State;

pub(super) use root::{Root, of_errno, parts};
pub use secret::SecretError;
pub(super) use secret::Secrets;
pub(super) use tree::Tree;

/// What a plugin's handle stands for: a read that waits for a disk shares it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub type TreeHandle = Arc<Tree>;

/// Bytes of a path or a pattern: the longest path that Linux takes.
const PATH_BYTES: usize = 4_096;

/// Entries that one walk lists.
const ENTRIES: usize = 10_000;

/// Entries that one walk looks at: enough for a large repository with its dependencies, about a second's work.
const VISITED: usize = 200_000;

/// Bytes that one call reads: they exist twice, here and in the plugin's memory.
const READ_BYTES: u64 = 8 << 20;

impl State {
    async fn tree(&mut self, target: &str) -> Result<Tree, Failure> {
        let endpoint = self.endpoint(target, Capability::Read)?;
        let Endpoint::Dir(path) = endpoint else {
            return Err(Failure::Unbound(format!("the target \"{target}\" is not a directory")));
        };
        let name = target.parse().map_err(|error| Failure::Unbound(format!("{error}")))?;
        let common = self.common.clone();
        blocking(move || Tree::open(name, path, common)).await
    }

    async fn on_tree<T: Send + 'static>(
        &mut self,
        tree: &Resource<TreeHandle>,
        what: &str,
        act: impl FnOnce(&Tree) -> Result<T, Failure> + Send + 'static,
    ) -> wasmtime::Result<Result<T, Failure>> {
        let tree = self.table.get(tree)?.clone();
        let at = Instant::now();
        let what = format!("read {} {what}", tree.target);
        self.accesses.begin(at, what.clone());
        let result = blocking(move || act(&tree)).await;
        self.accesses.note(at, || what, result.as_ref().err());
        Ok(result)
    }
}

/// Runs `act` where it may wait for a disk.
pub(super) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(act).await {
        Ok(result) => result,
        Err(error) => Err(Failure::Other(error.to_string())),
    }
}

impl Host for State {
    async fn open(&mut self, target: String) -> wasmtime::Result<Result<Resource<TreeHandle>, Failure>> {
        let at = Instant::now();
        match self.tree(&target).await {
            Ok(tree) => Ok(Ok(self.keep(Arc::new(tree))?)),
            Err(refused) => {
                self.accesses.note(at, || format!("read open {target}"), Some(&refused));
                Ok(Err(refused))
            }
        }
    }
}

impl HostTree for State {
    async fn walk(
        &mut self,
        tree: Resource<TreeHandle>,
        under: String,
        glob: String,
        all: bool,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<Entry>, Failure>> {
        let what = format!("{under}/{glob}");
        self.on_tree(&tree, what.trim_start_matches('/'), move |tree| tree.walk(&under, &glob, all, max))
            .await
    }

    async fn stat(
        &mut self,
        tree: Resource<TreeHandle>,
        path: String,
    ) -> wasmtime::Result<Result<Entry, Failure>> {
        self.on_tree(&tree, &path.clone(), move |tree| tree.stat(&path)).await
    }

    async fn read(
        &mut self,
        tree: Resource<TreeHandle>,
        path: String,
        offset: u64,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        self.on_tree(&tree, &path.clone(), move |tree| tree.read(&path, offset, max)).await
    }

    fn drop(&mut self, tree: Resource<TreeHandle>) -> wasmtime::Result<()> {
        self.release(tree)
    }
}
