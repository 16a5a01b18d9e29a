object 4d791ade77d7abe6da43a812284c49a035ef85f6
type commit
tag t-unsigned
tagger Jane Doe <jane@example.org> 1795293674 +0000

a tag that is not signed
