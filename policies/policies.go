// Package policies says whether the values of an application agree across its
// clusters. It is the first room of the flow: it reads the Gate, merges every
// cluster's values as Helm does, and holds them against the rules. It touches
// no network and no cluster, and its answer depends on nothing but the tree.
package policies
