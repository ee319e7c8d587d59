use super::*;
use crate::store::ledger::Wait;
use crate::test_util::MemoryLedger;

type Bend = fn(Position, Catch) -> Catch;

/// A ledger that answers something else than it ought to.
#[derive(Clone)]
struct Bent(MemoryLedger, Bend);

impl Ledger for Bent {
    fn key(&self) -> [u8; 16] {
        self.0.key()
    }
    fn append<'a>(
        &'a self,
        target: Target,
        kind: PurgeKind,
    ) -> Wait<'a, Result<Position, StoreError>> {
        self.0.append(target, kind)
    }
    fn since<'a>(&'a self, after: Position) -> Wait<'a, Result<Catch, StoreError>> {
        Box::pin(async move { Ok(self.1(after, self.0.since(after).await?)) })
    }
    fn follow<'a>(
        &'a self,
        after: Position,
        wait_max: Duration,
    ) -> Wait<'a, Result<Catch, StoreError>> {
        Box::pin(async move { Ok(self.1(after, self.0.follow(after, wait_max).await?)) })
    }
}

#[test]
fn a_ledger_that_keeps_the_rules_passes_and_one_that_bends_them_does_not() {
    let cases: [(&str, Bend); 6] = [
        ("", |_, catch| catch),
        ("0 stands", |_, catch| Catch { until: Position::default(), ..catch }),
        ("come in order", |_, mut catch| {
            catch.purges.reverse();
            catch
        }),
        ("the purges after a position", |_, mut catch| {
            catch.purges.pop();
            catch
        }),
        ("must not be followed", |after, mut catch| {
            if after.ledger != 0 {
                catch.from = after.mark.min(catch.from);
                catch.until.ledger = after.ledger;
            }
            catch
        }),
        ("the earliest are not told", |after, mut catch| {
            if after.ledger == catch.until.ledger {
                catch.from = after.mark;
            }
            catch
        }),
    ];
    for (message, bend) in cases {
        let ledger = Bent(MemoryLedger::new(), bend);
        let suite = std::panic::AssertUnwindSafe(|| run(super::ledger(|| ledger.clone())));
        let said = std::panic::catch_unwind(suite).map_err(|panic| *panic.downcast().unwrap());
        match said {
            Ok(()) => assert_eq!(message, ""),
            Err::<(), String>(said) => {
                assert!(!message.is_empty() && said.contains(message), "{message}: {said}");
            }
        }
    }
}

/// Without a runtime no heartbeat keeps it waiting.
fn run(suite: impl Future<Output = ()>) {
    let mut suite = pin!(suite);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    while suite.as_mut().poll(&mut cx).is_pending() {}
}
