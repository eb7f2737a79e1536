//go:build !wasip1

// Package memory keeps Go's heap out of memory that the host has added. Natively there is no such memory.
package memory

// Sync has nothing to do.
func Sync() {}
