//! The verdict in a sentence. Pure.

use meridian_regions::Margin;

use super::judge::{Groups, Judged};

/// What can be lost, in one or two sentences, the worst first.
pub(super) fn summary(judged: &Judged) -> String {
    let outlook = &judged.outlook;
    let bookings = match (judged.groups, outlook.bookings) {
        (Groups::Uncounted, _) | (Groups::Counted(1..), None) => {
            "It is not known yet what bookings survive".to_owned()
        }
        (Groups::Counted(0), _) => "There are no bookings to lose".to_owned(),
        (Groups::Counted(groups), Some(Margin::Stopped)) => {
            let stopped = outlook.stopped;
            format!("Bookings have stopped for {stopped} of {groups} listings")
        }
        (_, Some(margin)) => format!("Bookings survive the loss of {}", more(margin)),
    };
    let reads = match outlook.reads {
        Margin::Stopped => "some listings cannot be read".to_owned(),
        margin => format!("reads {}", more(margin)),
    };
    let data = match outlook.data {
        None => "acknowledged data is not known to".to_owned(),
        Some(Margin::Stopped) => "some acknowledged data is out of reach".to_owned(),
        Some(margin) => format!("acknowledged data {}", more(margin)),
    };
    format!("{bookings}; {reads}; {data}.")
}

/// `1 more region or 1 more node`, whichever they are; `no further region or node`.
pub(super) fn more(margin: Margin) -> String {
    match margin {
        Margin::Stopped => "nothing: it is lost already".to_owned(),
        Margin::Left {
            regions: 0,
            nodes: 0,
        } => "no further node".to_owned(),
        Margin::Left { regions: 0, nodes } => {
            format!("no further region, {}", counted(nodes, "more node"))
        }
        Margin::Left { regions, nodes } => {
            let (regions, nodes) = (counted(regions, "more region"), counted(nodes, "more node"));
            format!("{regions} or {nodes}")
        }
    }
}

/// `1 listing`, `2 listings`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}
