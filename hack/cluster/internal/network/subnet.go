package network

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Candidates returns the subnets that a cluster may take, in the order of preference.
func Candidates() []netip.Prefix {
	var all []netip.Prefix
	for second := 83; second < 96; second++ {
		for third := 0; third < 256; third += 16 {
			all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(second), byte(third), 0}), 20))
		}
	}
	return all
}

// Free returns the first candidate that overlaps nothing taken.
func Free(candidates, taken []netip.Prefix) (netip.Prefix, error) {
	for _, candidate := range candidates {
		if !overlaps(candidate, taken) {
			return candidate, nil
		}
	}
	return netip.Prefix{}, errors.New("every subnet that the cluster could take overlaps one that this machine uses")
}

func overlaps(candidate netip.Prefix, taken []netip.Prefix) bool {
	for _, other := range taken {
		if candidate.Overlaps(other) {
			return true
		}
	}
	return false
}

// Taken returns the IPv4 subnets of this machine's interfaces and routes, but for the default route and the named interface.
func Taken(except string) ([]netip.Prefix, error) {
	routes, err := os.Open("/proc/net/route")
	if err != nil {
		return nil, fmt.Errorf("reading the routes: %w", err)
	}
	defer routes.Close()
	taken, err := parseRoutes(bufio.NewScanner(routes), except)
	if err != nil {
		return nil, fmt.Errorf("reading the routes: %w", err)
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("reading the network interfaces: %w", err)
	}
	for _, link := range interfaces {
		addresses, err := link.Addrs()
		if err != nil || link.Name == except {
			continue // an interface may go while it is looked at
		}
		for _, address := range addresses {
			if prefix, err := netip.ParsePrefix(address.String()); err == nil && prefix.Addr().Is4() {
				taken = append(taken, prefix.Masked())
			}
		}
	}
	return taken, nil
}

// parseRoutes reads the table of /proc/net/route, whose addresses are hexadecimal in the byte order of the machine.
func parseRoutes(lines *bufio.Scanner, except string) ([]netip.Prefix, error) {
	var taken []netip.Prefix
	lines.Scan() // the heading
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || fields[0] == except {
			continue
		}
		destination, err := address(fields[1])
		if err != nil {
			return nil, err
		}
		mask, err := address(fields[7])
		if err != nil {
			return nil, err
		}
		bits, _ := net.IPMask(mask.AsSlice()).Size()
		if bits > 0 {
			taken = append(taken, netip.PrefixFrom(destination, bits).Masked())
		}
	}
	return taken, lines.Err()
}

func address(hex string) (netip.Addr, error) {
	number, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("reading the address %q: %w", hex, err)
	}
	var bytes [4]byte
	binary.NativeEndian.PutUint32(bytes[:], uint32(number))
	return netip.AddrFrom4(bytes), nil
}
