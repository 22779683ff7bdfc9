//! What a range promises.

use std::sync::Arc;

use super::{Outcome, delete, keys, put, write};
use crate::store::{Page, Store};

pub(super) async fn records_come_in_the_byte_order_of_their_keys(store: Arc<dyn Store>) -> Outcome {
    let expected = ["a/", "a/-", "a/0", "a/B", "a/a", "a/a/", "a/a0", "a/z", "a/é", "a/\u{10ffff}"];
    let mut shuffled = expected;
    shuffled.reverse();
    shuffled.swap(2, 5);
    write(&*store, shuffled.map(|key| put(key, key))).await?;
    assert_eq!(keys(&store.range("a/", 20, None).await?), expected);
    Ok(())
}

pub(super) async fn only_the_prefix_is_read(store: Arc<dyn Store>) -> Outcome {
    let all = ["a", "a.b", "a/1", "a/1/x", "a/10", "a/2", "a0", "b/1", "é/1", "\u{10ffff}/1"];
    write(&*store, all.map(|key| put(key, key))).await?;
    for (prefix, expected) in [
        ("a/", vec!["a/1", "a/1/x", "a/10", "a/2"]),
        ("a/1", vec!["a/1", "a/1/x", "a/10"]),
        ("a/1/", vec!["a/1/x"]),
        ("a/3", vec![]),
        ("é", vec!["é/1"]),
        ("\u{10ffff}", vec!["\u{10ffff}/1"]),
        ("", all.to_vec()),
    ] {
        let page = store.range(prefix, 20, None).await?;
        assert_eq!((keys(&page), page.more), (expected, false), "{prefix}");
    }
    Ok(())
}

pub(super) async fn pages_join_without_gap_or_overlap(store: Arc<dyn Store>) -> Outcome {
    let names: Vec<String> = (0..7).map(|i| format!("a/{i}")).collect();
    let writes: Vec<_> = names.iter().map(|key| put(key, "v")).chain([put("b/0", "v")]).collect();
    write(&*store, writes).await?;
    for limit in [1, 2, 3, 6, 7, 8, usize::MAX] {
        let mut read: Vec<String> = Vec::new();
        loop {
            let page = store.range("a/", limit, read.last().map(String::as_str)).await?;
            assert!(page.records.len() == limit || !page.more, "a page that is not full is the last");
            read.extend(page.records.into_iter().map(|record| record.key));
            if !page.more {
                break;
            }
        }
        assert_eq!(read, names, "{limit}");
    }
    // Between two keys, before the prefix and behind it.
    assert_eq!(keys(&store.range("a/", 1, Some("a/3x")).await?), ["a/4"]);
    assert_eq!(keys(&store.range("a/", 1, Some("A")).await?), ["a/0"]);
    assert_eq!(store.range("a/", 1, Some("a0")).await?, Page { revision: 1, ..Page::default() });
    Ok(())
}

pub(super) async fn a_limit_of_zero_asks_for_the_revision_alone(store: Arc<dyn Store>) -> Outcome {
    assert_eq!(store.range("a/", 0, None).await?, Page::default());
    write(&*store, [put("a/b", "1")]).await?;
    assert_eq!(store.range("a/", 0, None).await?, Page { revision: 1, more: true, ..Page::default() });
    Ok(())
}

pub(super) async fn the_revision_of_a_directory_is_that_of_its_last_change(store: Arc<dyn Store>) -> Outcome {
    async fn revisions(store: &dyn Store) -> Result<[u64; 3], crate::store::StoreError> {
        let mut found = [0; 3];
        for (revision, prefix) in found.iter_mut().zip(["a/", "b/", "none/"]) {
            *revision = store.range(prefix, 10, None).await?.revision;
        }
        Ok(found)
    }
    assert_eq!(revisions(&*store).await?, [0, 0, 0]);
    write(&*store, [put("a/1", "x")]).await?;
    write(&*store, [put("b/1/deep", "x")]).await?;
    assert_eq!(revisions(&*store).await?, [1, 2, 0]);
    write(&*store, [delete("a/1")]).await?;
    assert_eq!(revisions(&*store).await?, [3, 2, 0]);
    write(&*store, [put("a/2", "x"), delete("b/1/deep")]).await?;
    assert_eq!(revisions(&*store).await?, [4, 4, 0]);
    // A short page knows the revision of the whole directory.
    write(&*store, [put("a/1", "x"), put("a/3", "x")]).await?;
    assert_eq!(store.range("a/", 1, None).await?.revision, 5);
    assert_eq!(store.range("a/", 1, Some("a/9")).await?.revision, 5);
    Ok(())
}

pub(super) async fn the_revision_of_other_prefixes_is_never_too_low(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/b/1", "x")]).await?;
    write(&*store, [put("a/c/1", "x")]).await?;
    write(&*store, [put("top", "x")]).await?;
    for (prefix, revision) in [("a/b/", 2), ("a/b/1", 2), ("a/none/", 2), ("a", 3), ("", 3), ("none", 3)] {
        assert_eq!(store.range(prefix, 10, None).await?.revision, revision, "{prefix}");
    }
    Ok(())
}
