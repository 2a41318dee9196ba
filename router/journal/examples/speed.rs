use std::{sync::Arc, time::Instant};
use jiff::Timestamp;
use rabita_journal::{Embedded, Journal, embedded::Options, battery::sample::{update, applied, event, registry}};
fn rss() -> String {
    std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmRSS") || l.starts_with("VmHWM")).collect::<Vec<_>>().join(" ")
}
fn main() {
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    rt.block_on(async {
        let args: Vec<String> = std::env::args().collect();
        let dir = std::path::PathBuf::from(&args[1]);
        let n: u64 = args[2].parse().unwrap();
        let callers: u64 = args[3].parse().unwrap();
        let began = Instant::now();
        let j = Arc::new(Embedded::open(Options::new(dir.clone(), Arc::new(Timestamp::now))).unwrap());
        println!("open {:?} {}", began.elapsed(), rss());
        if args.get(4).map(String::as_str) == Some("take") {
            let began = Instant::now();
            let lease = j.take(&registry()).await.unwrap();
            println!("first take {:?}", began.elapsed());
            let d = j.depths().await.unwrap();
            println!("depths {:?} {}", began.elapsed(), d[0].waiting);
            drop(lease);
        }
        if n > 0 {
            let began = Instant::now();
            let tasks: Vec<_> = (0..callers).map(|c| { let j = j.clone(); tokio::spawn(async move { for i in 0..n / callers { j.accept(update(c * 1000000 + i)).await.unwrap(); } }) }).collect();
            for t in tasks { t.await.unwrap(); }
            let e = began.elapsed();
            println!("accept {n} in {e:?}: {:.0}/s {}", n as f64 / e.as_secs_f64(), rss());
        }
        if args.get(4).map(String::as_str) == Some("drain") {
            let began = Instant::now();
            let total = j.depths().await.unwrap().first().map_or(0, |d| d.waiting);
            let done = Arc::new(std::sync::atomic::AtomicU64::new(0));
            let tasks: Vec<_> = (0..callers).map(|_| { let j = j.clone(); let done = done.clone(); tokio::spawn(async move {
                while done.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < total {
                    let l = j.take(&registry()).await.unwrap();
                    j.conclude(&l, applied(), vec![event(1)]).await.unwrap();
                } }) }).collect();
            for t in tasks { t.await.unwrap(); }
            let e = began.elapsed();
            println!("drain {total} in {e:?}: {:.0}/s {}", total as f64 / e.as_secs_f64(), rss());
        }
        let began = Instant::now();
        j.close().await;
        println!("close {:?}", began.elapsed());
        for f in std::fs::read_dir(&dir).unwrap() { let f = f.unwrap(); println!("{:?} {}", f.file_name(), f.metadata().unwrap().len()); }
    });
}
