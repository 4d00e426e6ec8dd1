//! The figures, and the goals beside them.

use super::Plan;
use super::measure::{Cell, Figures, Pair};
use super::spread::Spread;

/// A goal of the performance plan for one engine.
struct Goal {
    name: &'static str,
    says: String,
    found: String,
    met: bool,
}

/// Tells all figures, then the goals.
pub(super) fn show(plan: &Plan, all: &[Figures], tell: &mut dyn FnMut(String)) {
    for figures in all {
        tell(String::new());
        tell(format!("{} (medians; ratios of neighbours, least to most)", figures.engine));
        tell(format!(
            "{:>5} {:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7}",
            "conn", "target", "req/s", "p50 µs", "p99 µs", "max µs", "CPU µs", "group"
        ));
        for &connections in &plan.connections {
            row(figures, connections, "floor", tell, |p| p.floor);
            row(figures, connections, "release", tell, |p| p.full);
            let speed = figures.spread(connections, |p| p.full.per_second / p.floor.per_second);
            let cpu = figures.spread(connections, |p| p.full.cpu / p.floor.cpu);
            tell(format!("{:>14} req/s × {}, CPU × {}", "ratio", ranged(speed), ranged(cpu)));
        }
        let refused: u64 = figures.pairs.iter().map(|p| p.floor.refused + p.full.refused).sum();
        if refused > 0 {
            tell(format!("{refused} requests were NOT answered with a record: these figures mean nothing"));
        }
        for goal in goals(figures) {
            let verdict = if goal.met { "met" } else { "missed" };
            tell(format!("{:>4} {verdict:<7} {} ({})", goal.name, goal.found, goal.says));
        }
    }
}

fn row(figures: &Figures, connections: usize, name: &str, tell: &mut dyn FnMut(String), of: impl Fn(&Pair) -> Cell) {
    let median = |figure: fn(&Cell) -> f64| figures.spread(connections, |p| figure(&of(p))).median;
    let group = median(|c| c.group);
    let shared = if group > 0.0 { format!("{group:.1}") } else { "-".to_owned() };
    tell(format!(
        "{connections:>5} {name:<8} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>9.1} {shared:>7}",
        median(|c| c.per_second),
        median(|c| c.p50),
        median(|c| c.p99),
        figures.spread(connections, |p| of(p).worst).most,
        median(|c| c.cpu),
    ));
}

fn ranged(spread: Spread) -> String {
    format!("{:.2} ({:.2}–{:.2})", spread.median, spread.least, spread.most)
}

fn goals(figures: &Figures) -> Vec<Goal> {
    let sqlite = figures.engine == "SQLite";
    let (name, most_cpu, least_speed) = if sqlite { ("G1", 1.7, 0.50) } else { ("G2", 1.3, 0.80) };
    let widest = figures.pairs.iter().map(|p| p.connections).max().unwrap_or(1);
    let cpu = figures.spread(widest, |p| p.full.cpu / p.floor.cpu);
    let speed = figures.spread(widest, |p| p.full.per_second / p.floor.per_second);
    let commit = Spread::of(figures.commit.iter().copied()).median;
    let floor = figures.spread(1, |p| p.floor.p50).median;
    let full = figures.spread(1, |p| p.full.p50).median;
    let mut goals = vec![
        Goal {
            name,
            says: format!("CPU of a release ≤ {most_cpu} × the floor at {widest} connections"),
            found: format!("× {}", ranged(cpu)),
            met: cpu.median <= most_cpu,
        },
        Goal {
            name,
            says: format!("releases a second ≥ {least_speed:.2} × the floor at {widest} connections"),
            found: format!("× {}", ranged(speed)),
            met: speed.median >= least_speed,
        },
    ];
    if full > 0.0 {
        goals.push(Goal {
            name: "G6",
            says: "median with one connection ≤ the floor's and one durable commit".to_owned(),
            found: format!("{full:.0} µs against {floor:.0} + {commit:.0}"),
            met: full <= floor + commit,
        });
    }
    if let Some(r) = &figures.revoking {
        goals.push(Goal {
            name: "G7",
            says: "99 of 100 revocations ≤ 2 durable commits, also among 64 readers; no later read is answered"
                .to_owned(),
            found: format!(
                "{} revocations, alone {} / {} µs, among readers {} / {} µs (median / p99), commit {commit:.0} µs, \
                 late reads {}",
                r.number, r.quiet.0, r.quiet.1, r.busy.0, r.busy.1, r.late
            ),
            met: r.late == 0 && f64::from(r.busy.1) <= 2.0 * commit,
        });
    }
    goals.push(Goal {
        name: "G12",
        says: "resident memory ≤ 150 MiB".to_owned(),
        found: format!("{:.0} MiB", figures.memory),
        met: figures.memory <= 150.0,
    });
    goals
}
