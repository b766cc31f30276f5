package main

import (
	"net"
	"strings"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

const (
	clusterZone = "cluster.local."
	timeToLive  = 5 // seconds
)

// A zone answers for the names of services, as https://github.com/kubernetes/dns/blob/master/docs/specification.md describes them:
//
//	service.namespace.svc.cluster.local              the service's address, or its ready pods' if it has none of its own
//	hostname.service.namespace.svc.cluster.local     one pod of such a headless service
//	_port._protocol.service.namespace.svc.cluster.local  SRV: the port's number
type zone struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
}

// serve answers one query.
func (z *zone) serve(writer dns.ResponseWriter, query *dns.Msg) {
	reply := new(dns.Msg)
	reply.SetReply(query)
	reply.Authoritative = true
	if len(query.Question) == 1 {
		question := query.Question[0]
		answers, known := z.answer(strings.ToLower(question.Name), question.Qtype)
		for _, answer := range answers {
			header := answer.Header()
			header.Name, header.Class, header.Ttl = question.Name, dns.ClassINET, timeToLive
		}
		reply.Answer = answers
		if !known {
			reply.Rcode = dns.RcodeNameError
		}
	}
	_ = writer.WriteMsg(reply) // who asked has gone
}

// answer returns the records of a name; known is false if there is no such name at all.
func (z *zone) answer(name string, kind uint16) (answers []dns.RR, known bool) {
	inside, found := strings.CutSuffix(name, ".svc."+clusterZone)
	if !found {
		// The zone's own names exist, and have no records.
		return nil, name == clusterZone || name == "svc."+clusterZone
	}
	parts := strings.Split(inside, ".")
	if len(parts) < 2 {
		return nil, true
	}
	prefix, serviceName, namespace := parts[:len(parts)-2], parts[len(parts)-2], parts[len(parts)-1]
	service, err := z.services.Services(namespace).Get(serviceName)
	if err != nil {
		return nil, false
	}
	switch {
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		return []dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Rrtype: dns.TypeCNAME}, Target: dns.Fqdn(service.Spec.ExternalName)}}, true
	case len(prefix) == 2 && strings.HasPrefix(prefix[0], "_"):
		return z.port(service, name, prefix, kind)
	case len(prefix) == 0 && service.Spec.ClusterIP != corev1.ClusterIPNone:
		return addresses([]string{service.Spec.ClusterIP}, kind), true
	case len(prefix) <= 1 && service.Spec.ClusterIP == corev1.ClusterIPNone:
		ips := z.endpoints(service, prefix)
		return addresses(ips, kind), len(ips) > 0
	}
	return nil, false
}

// port answers for a named port of a service.
func (z *zone) port(service *corev1.Service, name string, prefix []string, kind uint16) ([]dns.RR, bool) {
	for _, port := range service.Spec.Ports {
		if "_"+port.Name != prefix[0] || "_"+strings.ToLower(string(port.Protocol)) != prefix[1] {
			continue
		}
		if kind != dns.TypeSRV {
			return nil, true
		}
		target := strings.Join(strings.Split(name, ".")[2:], ".")
		return []dns.RR{&dns.SRV{Hdr: dns.RR_Header{Rrtype: dns.TypeSRV}, Weight: 100, Port: uint16(port.Port), Target: target}}, true
	}
	return nil, false
}

// endpoints returns the addresses of a headless service's pods, or of the one whose host name is the prefix.
func (z *zone) endpoints(service *corev1.Service, prefix []string) []string {
	of := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name})
	slices, err := z.slices.EndpointSlices(service.Namespace).List(of)
	if err != nil {
		return nil
	}
	var ips []string
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			ready := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready || service.Spec.PublishNotReadyAddresses
			named := len(prefix) == 0 || endpoint.Hostname != nil && *endpoint.Hostname == prefix[0]
			if ready && named {
				ips = append(ips, endpoint.Addresses...)
			}
		}
	}
	return ips
}

func addresses(ips []string, kind uint16) []dns.RR {
	if kind != dns.TypeA && kind != dns.TypeANY {
		return nil
	}
	var records []dns.RR
	for _, text := range ips {
		if ip := net.ParseIP(text).To4(); ip != nil {
			records = append(records, &dns.A{Hdr: dns.RR_Header{Rrtype: dns.TypeA}, A: ip})
		}
	}
	return records
}
