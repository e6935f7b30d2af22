package gate

// Check asks the world one question. Exactly one of its kinds is set, by the
// entry itself or by the preset it uses. Strings may hold "${ CEL }" over
// values (this cluster's merged values), cluster, ns (the Gate's namespace on
// it; CEL keeps the word namespace for itself), revision and gate.
type Check struct {
	// Name is unique in its phase; it is what logs and pull requests call it.
	Name string `json:"name" jsonschema:"required"`
	// Use names a preset of a pack, "mattermost/settled"; fields given here
	// override the preset's.
	Use string `json:"use,omitempty"`

	// Nodes asks whether the nodes are Ready.
	Nodes *NodesCheck `json:"nodes,omitempty"`
	// Pods asks whether the pods of a namespace run without errors.
	Pods *PodsCheck `json:"pods,omitempty"`
	// Resource asks one object, of any kind, by CEL.
	Resource *ResourceCheck `json:"resource,omitempty"`
	// Images asks whether every pod of a workload runs the expected image.
	Images *ImagesCheck `json:"images,omitempty"`
	// Rollout asks whether a rollout is complete.
	Rollout *RolloutCheck `json:"rollout,omitempty"`
	// HTTP asks a URL.
	HTTP *HTTPCheck `json:"http,omitempty"`
	// Backup asks for a backup that could be restored.
	Backup *BackupCheck `json:"backup,omitempty"`
}

// NodesCheck asks whether the nodes are Ready.
type NodesCheck struct {
	// Selector limits the nodes by label; empty means all.
	Selector string `json:"selector,omitempty"`
	// MinReady is how many must be Ready at least. Default: all of them, and
	// at least one.
	MinReady int `json:"minReady,omitempty"`
}

// PodsCheck asks whether the pods of a namespace run without errors.
type PodsCheck struct {
	// Namespace to look in. Default: the Gate's on this cluster.
	Namespace string `json:"namespace,omitempty"`
	// Selector limits the pods by label; empty means all.
	Selector string `json:"selector,omitempty"`
	// Min is how many pods there must be. Default 1.
	Min int `json:"min,omitempty"`
	// ErrorGrace is how long a container may be in error (CrashLoopBackOff,
	// ImagePullBackOff and their kind) before the answer is no. Default 2m.
	ErrorGrace Duration `json:"errorGrace,omitempty"`
}

// ResourceCheck asks one object, of any kind, by CEL over object.
type ResourceCheck struct {
	// APIVersion of the object, "apps/v1".
	APIVersion string `json:"apiVersion" jsonschema:"required"`
	// Kind of the object, "Deployment".
	Kind string `json:"kind" jsonschema:"required"`
	// Namespace of the object; a kind of the whole cluster has none. Default:
	// the Gate's on this cluster.
	Namespace string `json:"namespace,omitempty"`
	// Name of the object.
	Name string `json:"name" jsonschema:"required"`
	// Pass is true when the answer is yes.
	Pass string `json:"pass" jsonschema:"required"`
	// Fail is true when the answer is no and will stay so. Neither: Wait.
	Fail string `json:"fail,omitempty"`
	// Show gives the text that is put into the evidence.
	Show string `json:"show,omitempty"`
	// Absent is the answer when there is no such object: Fail, Wait or Pass.
	// Default Wait.
	Absent string `json:"absent,omitempty" jsonschema:"enum=Fail,enum=Wait,enum=Pass"`
}

// ImagesCheck asks whether every pod of a workload runs the expected image.
type ImagesCheck struct {
	// Namespace to look in. Default: the Gate's on this cluster.
	Namespace string `json:"namespace,omitempty"`
	// Selector finds the workload's pods by label.
	Selector string `json:"selector" jsonschema:"required"`
	// Container is the container to look at. Default: the only one.
	Container string `json:"container,omitempty"`
	// Image is the expected reference, usually "${values.image.repository +
	// ':' + values.image.tag}".
	Image string `json:"image" jsonschema:"required"`
	// Min is how many pods there must be. Default 1.
	Min int `json:"min,omitempty"`
}

// RolloutCheck asks whether a rollout is complete.
type RolloutCheck struct {
	// Kind is Deployment, StatefulSet or DaemonSet. Default Deployment.
	Kind string `json:"kind,omitempty" jsonschema:"enum=Deployment,enum=StatefulSet,enum=DaemonSet"`
	// Namespace to look in. Default: the Gate's on this cluster.
	Namespace string `json:"namespace,omitempty"`
	// Name of the workload.
	Name string `json:"name" jsonschema:"required"`
}

// HTTPCheck asks a URL.
type HTTPCheck struct {
	// URL to ask, http or https.
	URL string `json:"url" jsonschema:"required"`
	// Method is GET or HEAD: a check changes nothing. Default GET.
	Method string `json:"method,omitempty" jsonschema:"enum=GET,enum=HEAD"`
	// Headers are sent with the request.
	Headers map[string]string `json:"headers,omitempty"`
	// Assert is CEL over status (int), headers (map of lower-case name to
	// value), body (string), json (the decoded body, null if it is not JSON)
	// and the variables of every string of a check.
	// Default "status >= 200 && status < 300".
	Assert string `json:"assert,omitempty"`
	// Timeout of one request. Default 10s.
	Timeout Duration `json:"timeout,omitempty"`
}

// Proof is how well a backup is known to be good, weakest first.
type Proof string

// The levels of proof. Each includes those before it.
const (
	ProofExists   Proof = "exists"   // there is one
	ProofFresh    Proof = "fresh"    // and it is not older than maxAge
	ProofComplete Proof = "complete" // and it is whole: size and checksum hold
	ProofListed   Proof = "listed"   // and its contents could be listed
	ProofRestored Proof = "restored" // and it was restored
	ProofQueried  Proof = "queried"  // and the restored data answered a query
)

// BackupCheck asks for a backup that could be restored. Exactly one of Objects
// and Snapshots is set.
type BackupCheck struct {
	// MaxAge is how old the newest backup may be.
	MaxAge Duration `json:"maxAge" jsonschema:"required"`
	// Proof is the level that is asked for: exists, fresh or complete.
	// Default complete.
	Proof Proof `json:"proof,omitempty" jsonschema:"enum=exists,enum=fresh,enum=complete"`
	// Objects looks at the newest object under a prefix of a store.
	Objects *ObjectBackup `json:"objects,omitempty"`
	// Snapshots looks at VolumeSnapshots in the cluster.
	Snapshots *SnapshotBackup `json:"snapshots,omitempty"`
}

// ObjectBackup is a backup kept as an object in S3 or a file in a folder.
type ObjectBackup struct {
	// Store is a name in the server's configuration, which holds address and
	// credentials: Git never does.
	Store string `json:"store" jsonschema:"required"`
	// Prefix is where the backups lie in the store.
	Prefix string `json:"prefix,omitempty"`
	// Suffix limits the objects by the end of their name, ".sql.gz".
	Suffix string `json:"suffix,omitempty"`
	// MinSize is the least size of a whole backup, "10Mi". Default 1.
	MinSize string `json:"minSize,omitempty"`
}

// SnapshotBackup is a backup kept as VolumeSnapshots.
type SnapshotBackup struct {
	// Namespace of the claims and their snapshots. Default: the Gate's on
	// this cluster.
	Namespace string `json:"namespace,omitempty"`
	// Claims are the PersistentVolumeClaims that each need a snapshot.
	Claims []string `json:"claims" jsonschema:"required"`
	// Take makes the server take one snapshot of each claim for the revision,
	// with this VolumeSnapshotClass; without it, snapshots are only looked at.
	Take *TakeSnapshot `json:"take,omitempty"`
}

// TakeSnapshot says how the server takes a snapshot itself.
type TakeSnapshot struct {
	// Class is the VolumeSnapshotClass of the snapshots.
	Class string `json:"class" jsonschema:"required"`
}
