//! The commands of the scripts; `README.md` describes each.

use goldenscript::{ArgumentConsumer, Command, Context, Runner};
use raft_core::types::ServerId;

use crate::group::{Error, Group, InFlight};

/// More deliveries than this in one command are an endless conversation.
const LIMIT: usize = 1000;

/// One script and the group that plays it.
#[derive(Default)]
pub struct Script {
    group: Group,
}

impl Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, _context: &Context) -> Result<String, Error> {
        let mut args = command.consume_args();
        let result = self.execute(&command.name, &mut args);
        result?;
        args.reject_next()?;
        Ok(std::mem::take(&mut self.group.output))
    }
}

impl Script {
    fn execute(&mut self, name: &str, args: &mut ArgumentConsumer<'_>) -> Result<(), Error> {
        match name {
            "group" => self.start(args)?,
            "timeout" => {
                let id = self.server(args)?;
                self.group.time_out(id)?;
            }
            "heartbeat" => {
                let id = self.server(args)?;
                self.group.heartbeat(id)?;
            }
            "tick" => {
                let id = self.server(args)?;
                self.group.tick(id, number(args)?)?;
            }
            "wait" => self.group.wait(number(args)?),
            "propose" => {
                let id = self.server(args)?;
                while let Some(command) = args.next_pos() {
                    self.group.propose(id, command)?;
                }
            }
            "read" => {
                let id = self.server(args)?;
                self.group.read(id)?;
            }
            "snapshot" => {
                let id = self.server(args)?;
                self.group.snapshot(id, number(args)?)?;
            }
            "deliver" => self.deliver(args)?,
            "lose" => {
                let selection = self.selection(args)?;
                for (number, to) in self.selected(&selection) {
                    let position = self.position(number, to)?;
                    self.group.lose(position);
                }
            }
            "duplicate" => {
                let selection = self.selection(args)?;
                for (number, to) in self.selected(&selection) {
                    let position = self.position(number, to)?;
                    self.group.duplicate(position);
                }
            }
            "partition" => {
                let mut side = std::collections::BTreeSet::new();
                while let Some(name) = args.next_pos() {
                    side.insert(self.group.id(name)?);
                }
                self.group.partition(side);
            }
            "heal" => self.group.heal(),
            "crash" => {
                let id = self.server(args)?;
                self.group.crash(id);
            }
            "crash_in_save" => {
                let id = self.server(args)?;
                self.group.crash_in_save(id);
            }
            "restart" => {
                let id = self.server(args)?;
                self.group.restart(id)?;
            }
            "status" => {
                let mut any = false;
                while let Some(name) = args.next_pos() {
                    let id = self.group.id(name)?;
                    self.group.status(id);
                    any = true;
                }
                if !any {
                    self.group.ids().for_each(|id| self.group.status(id));
                }
            }
            other => return Err(format!("there is no command {other}").into()),
        }
        Ok(())
    }

    fn start(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<(), Error> {
        let servers = number(args)?;
        let mut logs = Vec::new();
        for id in 0..servers {
            let log = args.take_key(&format!("S{id}")).unwrap_or_default();
            let terms = log.split_whitespace().map(str::parse);
            logs.push(terms.collect::<Result<Vec<u64>, _>>()?);
        }
        let paper = match args.take_key("rules") {
            None | Some("paper") => true,
            Some("all") => false,
            Some(other) => return Err(format!("rules are paper or all, not {other}").into()),
        };
        self.group = Group::start(&logs, paper)?;
        Ok(())
    }

    fn server(&self, args: &mut ArgumentConsumer<'_>) -> Result<ServerId, Error> {
        self.group.id(args.next_pos().ok_or("which server?")?)
    }

    /// Without arguments: until no message is left. With arguments: the messages that are selected
    /// now, and none that they cause.
    fn deliver(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<(), Error> {
        let selection = self.selection(args)?;
        if !selection.is_empty() {
            for (number, to) in self.selected(&selection) {
                let position = self.position(number, to)?;
                self.group.deliver(position)?;
            }
            return Ok(());
        }
        for _ in 0..LIMIT {
            if self.group.in_flight.is_empty() {
                return Ok(());
            }
            self.group.deliver(0)?;
        }
        Err(format!("{LIMIT} messages did not end the conversation").into())
    }

    fn selection(&self, args: &mut ArgumentConsumer<'_>) -> Result<Selection, Error> {
        let mut end = |key| args.take_key(key).map(|name| self.group.id(name)).transpose();
        let (from, to) = (end("from")?, end("to")?);
        let mut numbers = Vec::new();
        while let Some(number) = args.next_pos() {
            numbers.push(number.parse()?);
        }
        Ok(Selection { from, to, numbers })
    }

    /// Number and receiver of each selected message, in the order of the numbers given, else in the
    /// order of sending. Of several copies of a message, a number selects the first.
    fn selected(&self, selection: &Selection) -> Vec<(u64, ServerId)> {
        let in_flight = || self.group.in_flight.iter().filter(|message| selection.has(message));
        let name = |message: &InFlight| (message.number, message.to);
        if selection.numbers.is_empty() {
            return in_flight().map(name).collect();
        }
        let first = |number: &u64| in_flight().find(|message| message.number == *number);
        selection.numbers.iter().filter_map(first).map(name).collect()
    }

    fn position(&self, number: u64, to: ServerId) -> Result<usize, Error> {
        let mut messages = self.group.in_flight.iter();
        let found = messages.position(|message| message.number == number && message.to == to);
        found.ok_or_else(|| format!("no message {number} is on its way to {to}").into())
    }
}

/// Messages by sender and receiver, or by number.
struct Selection {
    from: Option<ServerId>,
    to: Option<ServerId>,
    numbers: Vec<u64>,
}

impl Selection {
    fn is_empty(&self) -> bool {
        self.from.is_none() && self.to.is_none() && self.numbers.is_empty()
    }

    /// Whether sender and receiver fit.
    fn has(&self, message: &InFlight) -> bool {
        self.from.is_none_or(|from| message.from == from)
            && self.to.is_none_or(|to| message.to == to)
    }
}

fn number(args: &mut ArgumentConsumer<'_>) -> Result<u64, Error> {
    Ok(args.next_pos().ok_or("a number is missing")?.parse()?)
}
