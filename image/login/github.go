package login

import (
	"context"
	"time"

	"github.com/proa-ml/proa/internal/ambient"
)

// github logs in with the token of GitHub's actions or command line. Any name goes with it.
func (c *Clouds) github() giver {
	return func(context.Context) (string, string, time.Time, error) {
		for _, name := range []string{"GITHUB_TOKEN", "GH_TOKEN"} {
			if token := c.options.Env(name); token != "" {
				user := c.options.Env("GITHUB_ACTOR")
				if user == "" {
					user = "token"
				}
				return user, token, time.Time{}, nil
			}
		}
		return "", "", time.Time{}, ambient.ErrNone
	}
}
