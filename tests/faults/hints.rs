//! People of whom a webhook said something, many at once and soon after one another.

use crate::support::World;
use crate::support::people::{self, GENERAL, address};
use hsmc::domain::email::Email;
use hsmc::sandbox::Act;
use hsmc::sync::hinted;
use std::collections::BTreeSet;

/// More than are read one by one.
const BURST: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_burst_of_unsubscribes_crosses_over_however_soon_it_comes() {
    let names: Vec<String> = (0..3 * BURST).map(|number| format!("p{number}")).collect();
    let world = World::new(|builder| {
        for name in &names {
            people::enrolled(builder, name, GENERAL);
        }
    })
    .await;
    world.synced().await;
    let app = world.open();
    for burst in names.chunks(BURST) {
        let mut told = BTreeSet::new();
        for name in burst {
            world.act(Act::Unsubscribe { email: address(name) });
            let hash = Email::parse(&address(name)).unwrap().hash();
            told.extend(app.workspace.shared.journal.person_by_hash(hash).unwrap());
        }
        hinted::look_at(&app.workspace, &told).await.unwrap();
        for name in burst {
            assert!(world.person(name).ends_with("opted out"), "{}", world.person(name));
        }
    }
    app.close().await;
    world.synced().await;
    world.assert_settled().await;
}
