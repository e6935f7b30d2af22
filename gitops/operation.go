package gitops

import "time"

// Operation is one finished sync of an Application, as its delivering tool
// tells of it.
type Operation struct {
	// ID tells one operation from every other.
	ID string
	// Application is "namespace/name".
	Application string
	// ApplicationID tells an Application from every other, also from those of its
	// name elsewhere and before it.
	ApplicationID string
	Sources       []OperationSource
	// By is who asked for it, "" when nobody is named; Automated that the tool
	// did so itself.
	By        string
	Automated bool
	// Applied is false when the tool says that the sync failed; a part may have
	// been applied all the same.
	Applied  bool
	Started  time.Time
	Finished time.Time
	// Skipped says why the tool ran no hooks, "" when it should have run them.
	Skipped string
	// Unversioned is true when what was synced is in no commit: somebody sent the
	// manifests along. The sources say only where it was sent to.
	Unversioned bool
}

// OperationSource is one source of an Operation.
type OperationSource struct {
	// URL of the repository, Path in it, and the full commit SHA that was
	// synced; a source that is no Git repository has no SHA.
	URL, Path, Revision string
	// Plugin is true when Syncgate's plugin renders the source; Gate and
	// Cluster are what the Application tells it, "" when nothing.
	Plugin        bool
	Gate, Cluster string
}

// Notice is what there is to say of an Operation, for those who look at its
// Application.
type Notice struct {
	// Warning is false when nothing is wrong.
	Warning bool
	// Reason is one word in upper camel case, Message one line.
	Reason, Message string
}
