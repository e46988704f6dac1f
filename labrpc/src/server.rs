//! One start of one server: its services, its node, its count of requests.

use std::sync::atomic::{AtomicU64, Ordering};

use labrt::Node;

use crate::service::Handler;
use crate::{CallError, Service};

/// What is registered under a server's name. A restarted server is a new object.
#[derive(Debug)]
pub struct Server {
    /// Tells this object from its successors under the same name. Only ever compared.
    id: u64,
    /// Handlers run here.
    node: Node,
    services: Vec<Service>,
    /// Requests that reached it.
    received: AtomicU64,
}

impl Server {
    /// A server without services. Its handlers run on the node that is current here
    /// ([`Node::enter`]), and end when it crashes.
    #[expect(clippy::new_without_default, reason = "what it makes depends on where it is called")]
    pub fn new() -> Server {
        Server::on(Node::current())
    }

    /// The same, on this node.
    pub fn on(node: Node) -> Server {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Server { id, node, services: Vec::new(), received: AtomicU64::new(0) }
    }

    /// The same, with one more service. A second one of the same name replaces the first.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "it adds to a set, nobody expects a sum")]
    pub fn add(mut self, service: Service) -> Server {
        self.services.retain(|other| other.name() != service.name());
        self.services.push(service);
        self
    }

    /// Requests that reached this object, those whose reply was lost included.
    pub fn rpc_count(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn count_request(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn handler(
        &self,
        service: &'static str,
        method: &'static str,
    ) -> Result<&Handler, CallError> {
        match self.services.iter().find(|known| known.name() == service) {
            Some(service) => service.handler(method),
            None => {
                let mut known: Vec<_> = self.services.iter().map(Service::name).collect();
                known.sort_unstable();
                Err(CallError::UnknownService { service, known })
            }
        }
    }
}
