//! What the system says about sockets: `/proc/net/udp`.

/// Column of the local address, and of datagrams dropped because the buffer was full.
const LOCAL: usize = 1;
const DROPS: usize = 12;

/// Datagrams dropped at any of these ports of loopback.
pub(super) fn dropped(ports: impl Iterator<Item = u16>) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/udp").ok()?;
    Some(dropped_in(&table, &ports.collect::<Vec<_>>()))
}

fn dropped_in(table: &str, ports: &[u16]) -> u64 {
    let of_line = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (_, port) = columns.get(LOCAL)?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let drops: u64 = columns.get(DROPS)?.parse().ok()?;
        ports.contains(&port).then_some(drops)
    };
    table.lines().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::dropped_in;

    #[test]
    fn drops_of_our_ports_are_read_and_no_others() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 5405: 0100007F:9C40 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 72309 2 0000000000000000 7
 6190: 0100007F:9C41 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 72310 2 0000000000000000 5
 6191: 0100007F:9C42 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 72311 2 0000000000000000 11
";
        assert_eq!(dropped_in(table, &[0x9C40, 0x9C42]), 18);
    }
}
