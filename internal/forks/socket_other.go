//go:build !linux

package forks

import (
	"errors"
	"os"
)

// Forking needs Linux: elsewhere nobody adopts orphans, and libraries of the system don't bear a fork.

func pair() (near, far *os.File, err error) { return nil, nil, errors.ErrUnsupported }

func send(*os.File, ...*os.File) error { return errors.ErrUnsupported }

func receive(*os.File) (parcel, error) { return parcel{}, errors.ErrUnsupported }

func shut(*os.File) {}

func anonymous(string) (*os.File, error) { return nil, errors.ErrUnsupported }
