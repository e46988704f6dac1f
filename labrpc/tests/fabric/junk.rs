//! The course's receiver of calls, and a network around it.

use std::sync::Arc;

use labrpc::{CallError, ClientEnd, Method, Name, Network, Server, Service};
use labrt::Mutex;
use serde::{Deserialize, Serialize};

/// Declares a method of the service `JunkServer`.
macro_rules! junk_method {
    ($name:ident: $args:ty => $reply:ty) => {
        pub(crate) struct $name;
        impl Method for $name {
            const SERVICE: &'static str = "JunkServer";
            const METHOD: &'static str = stringify!($name);
            type Args = $args;
            type Reply = $reply;
        }
    };
}

pub(crate) use junk_method;

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct JunkArgs {
    pub(crate) x: i32,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct JunkReply {
    pub(crate) x: String,
}

junk_method!(Handler1: String => i32);
junk_method!(Handler2: i32 => String);
junk_method!(Handler3: i32 => i32);
junk_method!(Handler4: Box<JunkArgs> => JunkReply);
junk_method!(Handler5: JunkArgs => JunkReply);
junk_method!(Handler6: String => usize);
junk_method!(Handler7: usize => String);

#[derive(Default)]
pub(crate) struct JunkServer {
    logs: Mutex<Logs>,
}

#[derive(Default)]
struct Logs {
    log1: Vec<String>,
    log2: Vec<i32>,
}

impl JunkServer {
    pub(crate) fn log2(&self) -> Vec<i32> {
        self.logs.lock().log2.clone()
    }

    pub(crate) fn service(self: &Arc<JunkServer>) -> Service {
        let [h1, h2, h3, h6, h7] = std::array::from_fn(|_| Arc::clone(self));
        Service::new("JunkServer")
            .method::<Handler1>(move |text| {
                let mut logs = h1.logs.lock();
                let number = text.parse().unwrap_or(0);
                logs.log1.push(text);
                number
            })
            .method::<Handler2>(move |number| {
                h2.logs.lock().log2.push(number);
                format!("handler2-{number}")
            })
            .method::<Handler3>(move |number| {
                let _logs = h3.logs.lock();
                labrt::sleep(std::time::Duration::from_secs(20));
                -number
            })
            .method::<Handler4>(|_| JunkReply { x: "pointer".into() })
            .method::<Handler5>(|_| JunkReply { x: "no pointer".into() })
            .method::<Handler6>(move |text| {
                let _logs = h6.logs.lock();
                text.len()
            })
            .method::<Handler7>(move |count| {
                let _logs = h7.logs.lock();
                "y".repeat(count)
            })
    }
}

/// A network with one junk server.
pub(crate) struct Lan {
    pub(crate) network: Network,
    pub(crate) junk: Arc<JunkServer>,
    server: Name,
}

impl Lan {
    pub(crate) fn new(server: impl Into<Name>) -> Lan {
        let network = Network::new();
        let junk = Arc::new(JunkServer::default());
        let server = server.into();
        network.add_server(server.clone(), Server::new().add(junk.service()));
        Lan { network, junk, server }
    }

    /// An end connected to the server, switched on.
    pub(crate) fn end(&self, name: impl Into<Name>) -> ClientEnd {
        let name = name.into();
        let end = self.end_off(name.clone());
        self.network.enable(name, true).unwrap();
        end
    }

    /// The same, switched off.
    pub(crate) fn end_off(&self, name: impl Into<Name>) -> ClientEnd {
        let name = name.into();
        let end = self.network.make_end(name.clone()).unwrap();
        self.network.connect(name, self.server.clone()).unwrap();
        end
    }
}

pub(crate) fn handler2(end: &ClientEnd, number: i32) -> Result<String, CallError> {
    end.call::<Handler2>(&number)
}
