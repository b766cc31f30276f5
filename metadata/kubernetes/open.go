package kubernetes

import (
	"context"
	"fmt"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/mysql"
)

// Open connects to the server from wherever the kubeconfig is good, and migrates its tables.
func (s *Server) Open(ctx context.Context) (driver.Store, error) {
	cfg, err := s.Inside(ctx)
	if err != nil {
		return nil, err
	}
	return mysql.Open(ctx, cfg, &mysql.Options{Dial: s.dial})
}

// Inside returns how pods of the cluster reach the server. It is an error if it was not brought up.
func (s *Server) Inside(ctx context.Context) (mysql.Config, error) {
	deployment, found, err := s.deployments().find(ctx)
	if err != nil {
		return mysql.Config{}, err
	}
	if !found || deployment.Spec.Replicas != nil && *deployment.Spec.Replicas == 0 {
		return mysql.Config{}, s.notUp()
	}
	secret, found, err := s.secrets().find(ctx)
	if err != nil {
		return mysql.Config{}, err
	}
	if !found || len(secret.Data[keyPassword]) == 0 {
		return mysql.Config{}, fmt.Errorf("the secret %s/%s with the passwords of the metadata store is gone", s.cfg.Namespace, s.cfg.Name)
	}
	return mysql.Config{Host: s.cfg.host(), Port: port, Database: database, Username: user, Password: string(secret.Data[keyPassword])}, nil
}
