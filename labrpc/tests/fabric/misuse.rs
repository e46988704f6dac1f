//! Mistakes are error values that say what would have been right.

use labrpc::{CallError, LinkFaults, Method, Network, NetworkError, Server, Service};

use crate::junk::{Handler1, Handler2, Lan, handler2, junk_method};
use crate::on_both;

struct Elsewhere;
impl Method for Elsewhere {
    const SERVICE: &'static str = "Elsewhere";
    const METHOD: &'static str = "Anything";
    type Args = ();
    type Reply = ();
}

junk_method!(Missing: () => ());

/// An unknown service names the known ones. The request has reached the server and is counted.
#[test]
fn unknown_service() {
    on_both(|| {
        let lan = Lan::new("server");
        let server = Server::new().add(Service::new("Zebra")).add(lan.junk.service());
        lan.network.add_server("server", server);
        let error = lan.end("end").call::<Elsewhere>(&()).unwrap_err();
        let known = vec!["JunkServer", "Zebra"];
        assert_eq!(error, CallError::UnknownService { service: "Elsewhere", known });
        assert!(error.to_string().contains(r#"["JunkServer", "Zebra"]"#), "{error}");
        assert_eq!(lan.network.count("server"), Ok(1));
    });
}

/// An unknown method names the known ones.
#[test]
fn unknown_method() {
    on_both(|| {
        let lan = Lan::new("server");
        let service = Service::new("JunkServer")
            .method::<Handler2>(|number| number.to_string())
            .method::<Handler1>(|_| 0);
        lan.network.add_server("server", Server::new().add(service));
        let error = lan.end("end").call::<Missing>(&()).unwrap_err();
        let known = vec!["Handler1", "Handler2"];
        let expected = CallError::UnknownMethod { service: "JunkServer", method: "Missing", known };
        assert_eq!(error, expected);
    });
}

/// Caller and handler that differ on the type of the arguments, or of the reply.
#[test]
fn different_types() {
    struct OtherArgs;
    impl Method for OtherArgs {
        const SERVICE: &'static str = "JunkServer";
        const METHOD: &'static str = "Handler2";
        type Args = String;
        type Reply = String;
    }
    struct OtherReply;
    impl Method for OtherReply {
        const SERVICE: &'static str = "JunkServer";
        const METHOD: &'static str = "Handler2";
        type Args = i32;
        type Reply = Vec<u64>;
    }
    on_both(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        let error = end.call::<OtherArgs>(&"1".into()).unwrap_err();
        assert!(matches!(error, CallError::Decode { what: "arguments", .. }), "{error}");
        assert_eq!(lan.junk.log2(), [], "nothing has run");
        let error = end.call::<OtherReply>(&1).unwrap_err();
        assert!(matches!(error, CallError::Decode { what: "reply", .. }), "{error}");
    });
}

/// Later services and methods replace earlier ones of the same name.
#[test]
fn the_last_of_a_name_counts() {
    on_both(|| {
        let lan = Lan::new("server");
        let old = Service::new("JunkServer").method::<Handler1>(|_| 1);
        let new = Service::new("JunkServer")
            .method::<Handler2>(|_| "first".into())
            .method::<Handler2>(|_| "second".into());
        lan.network.add_server("server", Server::new().add(old).add(new));
        let end = lan.end("end");
        assert_eq!(handler2(&end, 1).unwrap(), "second");
        assert!(end.call::<Handler1>(&String::new()).is_err());
    });
}

/// Names of ends and servers.
#[test]
fn names() {
    on_both(|| {
        let network = Network::new();
        let _end = network.make_end("end").unwrap();
        assert_eq!(network.make_end("end").unwrap_err(), NetworkError::NameTaken("end".into()));
        let unknown = NetworkError::UnknownEnd(7.into());
        assert_eq!(network.delete_end(7), Err(unknown.clone()));
        assert_eq!(network.connect(7, "server"), Err(unknown.clone()));
        assert_eq!(network.enable(7, true), Err(unknown.clone()));
        assert_eq!(network.set_link(7, LinkFaults::default()), Err(unknown));
        let unknown = NetworkError::UnknownServer("server".into());
        assert_eq!(network.count("server"), Err(unknown.clone()));
        network.delete_server("server");
        // Known by name, but not there.
        network.connect("end", "server").unwrap();
        assert_eq!(network.count("server"), Err(unknown.clone()));
        network.add_server("server", Server::new());
        assert_eq!(network.count("server"), Ok(0));
        network.delete_server("server");
        network.delete_server("server");
        assert_eq!(network.count("server"), Err(unknown));
        // A deleted end's name is free.
        network.delete_end("end").unwrap();
        assert!(network.make_end("end").is_ok());
        // A number is not the text that looks like it.
        assert!(network.make_end(1).is_ok() && network.make_end("1").is_ok());
    });
}

/// An old handle does not come back to life with a new end of its name.
#[test]
fn a_deleted_end_stays_dead() {
    on_both(|| {
        let lan = Lan::new("server");
        let old = lan.end("end");
        lan.network.delete_end("end").unwrap();
        let new = lan.end("end");
        assert_eq!(handler2(&old, 1), Err(CallError::NoReply));
        assert!(handler2(&new, 2).is_ok());
    });
}
