// Package page writes docs/compatibility.md: what of ZooKeeper there is in Holt,
// each part with its state and the tests that show it.
//
//	code: op codes, words,        claims.txt: states that are not the usual,
//	commands of zkcli             notes, tests the search cannot find
//	        │                             │
//	        └──── item ◀── scripts that use it, found by search
//	                │
//	                ▼
//	     docs/compatibility.md    (make docs; TestPage keeps it true)
//
// The items come from the code where it can list them, so that a new op code
// without a test fails here. An item for which no script is found and no test is
// claimed is an error, as is a claim about an item that does not exist, or about a
// test that does not. Which scripts the page names may be older than the scripts.
package page
