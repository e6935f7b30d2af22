package hooks

// The paths of the gate server's HTTP API. Every call but those for health
// and those that say otherwise carries a bearer token.
const (
	PathChanges = "/v1/changes" // POST a Change, answered with its Run
	PathRuns    = "/v1/runs"    // GET /v1/runs/{id}, /v1/runs/{id}/events
	// PathAdmission is for API servers: POST /admission/{cluster}. They show
	// who they are in their own ways.
	PathAdmission = "/admission"
	// PathOverrides takes an OverrideRequest, answered with the Run that it
	// decided. The token is a person's, not a hook Job's.
	// GET lists the overridden Runs of the cluster and gate that the query
	// names, ?cluster=eu&gate=chat, those that hold, or with &all=true the ended
	// ones as well. POST to the id of a Run and PathRevoke below it takes a
	// RevokeRequest, answered with the Run.
	PathOverrides = "/v1/overrides"
	PathRevoke    = "/revoke"
	// PathGitHub takes the deliveries of GitHub's webhooks, which are signed,
	// and answers 202 with a Reception.
	PathGitHub = "/webhooks/github"
)

// The paths of the pages, which are for people and not a part of the API.
const (
	PathPageRuns  = "/runs"  // /runs/{id}
	PathPageGates = "/gates" // /gates/{gate}/{cluster}/{revision}/{phase}: the newest Run
)

// TokenAudience is the audience that a hook Job's ServiceAccount token must be
// made for: a token for another service is worth nothing here.
const TokenAudience = "syncgate"

// Reception is what came of a webhook's delivery.
type Reception struct {
	// Status is Accepted, AlreadySeen or Ignored.
	Status string `json:"status"`
	// Reason says why nothing is done.
	Reason string `json:"reason,omitempty"`
}

// What a delivery can come to.
const (
	Accepted    = "accepted"     // it is in the queue
	AlreadySeen = "already seen" // its first time counts
	Ignored     = "ignored"
)

// Problem is what the server says when it does not do what it was asked.
type Problem struct {
	// Code is stable and for programs: "unknown_gate".
	Code string `json:"code"`
	// Message names the object, what was expected and what was found.
	Message string `json:"message"`
	// Remedy is what to do next.
	Remedy string `json:"remedy"`
}

// ProblemBody is the body of every answer that is not a success.
type ProblemBody struct {
	Error Problem `json:"error"`
}

// The codes of Problems.
const (
	CodeBadRequest      = "bad_request"        // 400: not the form that is expected
	CodeUnauthenticated = "unauthenticated"    // 401: the token is not good on that cluster
	CodeForbidden       = "forbidden"          // 403: the subject may not do this
	CodeUnknownRepo     = "unknown_repository" // 404: lists the repositories that are
	CodeUnknownGate     = "unknown_gate"       // 404: lists the gates that are
	CodeUnknownRevision = "unknown_revision"   // 404
	CodeUnknownRun      = "unknown_run"        // 404
	CodeUnknownPath     = "unknown_path"       // 404
	CodeTooLarge        = "too_large"          // 413
	CodeInvalidChange   = "invalid_change"     // 422: well-formed, but cannot be evaluated
	CodeRateLimited     = "rate_limited"       // 429
	CodeInternal        = "internal"           // 500
	CodeUnavailable     = "unavailable"        // 503: could not find out, ask again
)
