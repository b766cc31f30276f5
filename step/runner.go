package step

import "encoding/json"

// RequestEnv names the environment variable that holds the path of the Request file.
const RequestEnv = "PROA_REQUEST"

// SiteEnv names the environment variable that lists folders of installed packages, as PATH lists folders. It is set in
// images and goes through the launcher; the runner reads the folders' .pth files.
const SiteEnv = "PROA_SITE"

// Request is what the launcher asks of a language runner, in a JSON file whose path is in the variable [RequestEnv].
// All paths are absolute.
type Request struct {
	APIVersion string                     `json:"apiVersion"`
	Run        string                     `json:"run"`
	RunName    string                     `json:"runName"`
	Pipeline   string                     `json:"pipeline"`
	Step       string                     `json:"step"`
	Attempt    int                        `json:"attempt"`
	Source     string                     `json:"source"`
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
	Inputs     map[string]RequestInput    `json:"inputs,omitempty"`
	Outputs    []RequestOutput            `json:"outputs,omitempty"`
	// Secrets are the step's secrets, by name and key. They make the file secret, whose mode is 0600; what of them can be an
	// environment variable (see [SecretVariable]) is one, too.
	Secrets map[string]map[string]string `json:"secrets,omitempty"`
	// Result is the file that the runner writes its Result to.
	Result string `json:"result"`
	// Temp is a folder for the step's own use; it is removed afterwards.
	Temp string `json:"temp"`
}

// RequestInput is one input, already on disk.
type RequestInput struct {
	Path         string `json:"path"`
	Type         string `json:"type"`
	Materializer string `json:"materializer"`
}

// RequestOutput is one output to save: an empty folder to fill.
type RequestOutput struct {
	Name         string `json:"name"`
	Type         string `json:"type,omitempty"`
	Materializer string `json:"materializer,omitempty"`
	Path         string `json:"path"`
}

// Result is the runner's answer. A runner that failed writes Failure and exits with a non-zero code.
type Result struct {
	APIVersion string                  `json:"apiVersion"`
	Outputs    map[string]ResultOutput `json:"outputs,omitempty"`
	Failure    *Failure                `json:"failure,omitempty"`
	// Times are when the step's own code began and ended, in seconds since 1970; 0 if it didn't, or isn't known.
	Times struct {
		Called   float64 `json:"called"`
		Returned float64 `json:"returned"`
	} `json:"times,omitzero"`
}

// ResultOutput describes one saved output.
type ResultOutput struct {
	Type         string `json:"type"`
	Materializer string `json:"materializer"`
	Preview      string `json:"preview,omitempty"`
}
