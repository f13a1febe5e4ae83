// The service's rules for a secret's metadata. A fake that accepts more would hide calls
// that Google refuses.

package gcpsmtest

import (
	"regexp"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
)

// Limits of a secret's metadata. (API, Secret.)
var (
	labelKey      = regexp.MustCompile(`^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$`)
	labelValue    = regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$`)
	annotationKey = regexp.MustCompile(`^[a-z0-9A-Z]([a-z0-9A-Z_.-]{0,61}[a-z0-9A-Z])?$`)
	aliasForm     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
	topicForm     = regexp.MustCompile(`^projects/[^/]+/topics/[^/]+$`)
	keyForm       = regexp.MustCompile(`^projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+$`)
)

const (
	maxLabels      = 64
	maxAliases     = 50
	maxTopics      = 10
	maxTextBytes   = 128
	maxAnnotations = 16 << 10
	// (delay: one day at least, 1,000 at most.)
	shortestDelay = 24 * time.Hour
	longestDelay  = 1000 * 24 * time.Hour
)

// check returns the error for a secret that cannot be stored in a location, which is
// empty for the global service.
func check(sec *secretmanagerpb.Secret, location string) error {
	for _, err := range []error{
		checkLabels(sec.GetLabels()), checkAnnotations(sec.GetAnnotations()), checkTopics(sec.GetTopics()),
		checkReplication(sec, location), checkDelay(sec),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return invalid("No more than %d labels can be assigned to a secret.", maxLabels)
	}
	for k, v := range labels {
		if !labelKey.MatchString(k) || !labelValue.MatchString(v) || len(k) > maxTextBytes || len(v) > maxTextBytes {
			return invalid("Label [%s] does not match the expected format.", k)
		}
	}
	return nil
}

func checkAnnotations(annotations map[string]string) error {
	size := 0
	for k, v := range annotations {
		if !annotationKey.MatchString(k) || !utf8.ValidString(v) {
			return invalid("Annotation [%s] does not match the expected format.", k)
		}
		size += len(k) + len(v)
	}
	if size >= maxAnnotations {
		return invalid("Annotations must be smaller than %d bytes in total.", maxAnnotations)
	}
	return nil
}

func checkTopics(topics []*secretmanagerpb.Topic) error {
	if len(topics) > maxTopics {
		return invalid("No more than %d topics can be assigned to a secret.", maxTopics)
	}
	for _, topic := range topics {
		if !topicForm.MatchString(topic.GetName()) {
			return invalid("Topic [%s] does not match the expected format.", topic.GetName())
		}
	}
	return nil
}

// checkReplication applies the rules of the two services: a global secret has a
// replication policy with its keys in it, a regional one has none.
func checkReplication(sec *secretmanagerpb.Secret, location string) error {
	replication := sec.GetReplication()
	managed := replication.GetUserManaged()
	switch {
	case location != "" && replication.GetReplication() != nil:
		return invalid("A regional secret has no replication policy.")
	case location != "":
		return checkKey(sec.GetCustomerManagedEncryption(), location)
	case sec.GetCustomerManagedEncryption() != nil:
		return invalid("The encryption of a global secret is part of its replication policy.")
	case replication.GetReplication() == nil:
		return invalid("Secret.replication must be provided.")
	case managed == nil:
		return checkKey(replication.GetAutomatic().GetCustomerManagedEncryption(), "global")
	case len(managed.GetReplicas()) == 0:
		return invalid("A user-managed replication policy needs a replica.")
	}
	places := map[string]bool{}
	for _, replica := range managed.GetReplicas() {
		if replica.GetLocation() == "" || places[replica.GetLocation()] {
			return invalid("Replica location [%s] is empty or given twice.", replica.GetLocation())
		}
		places[replica.GetLocation()] = true
		if err := checkKey(replica.GetCustomerManagedEncryption(), replica.GetLocation()); err != nil {
			return err
		}
	}
	return nil
}

// checkKey refuses a key outside the location of the secret that it encrypts.
func checkKey(encryption *secretmanagerpb.CustomerManagedEncryption, location string) error {
	if encryption == nil {
		return nil
	}
	m := keyForm.FindStringSubmatch(encryption.GetKmsKeyName())
	if m == nil || m[1] != location {
		return invalid("KMS key [%s] is not a key in location [%s].", encryption.GetKmsKeyName(), location)
	}
	return nil
}

func checkDelay(sec *secretmanagerpb.Secret) error {
	ttl := sec.GetVersionDestroyTtl()
	if ttl != nil && (ttl.AsDuration() < shortestDelay || ttl.AsDuration() > longestDelay) {
		return invalid("version_destroy_ttl must be between %v and %v.", shortestDelay, longestDelay)
	}
	return nil
}

// checkAliases refuses aliases of versions that do not exist.
func checkAliases(l *life, aliases map[string]int64) error {
	if len(aliases) > maxAliases {
		return invalid("No more than %d aliases can be assigned to a secret.", maxAliases)
	}
	for alias, number := range aliases {
		switch {
		case !aliasForm.MatchString(alias) || alias == latestAlias || alias == "NEW":
			return invalid("Alias [%s] does not match the expected format.", alias)
		case l == nil || l.version(number) == nil:
			return invalid("Alias [%s] is that of version [%d], which does not exist.", alias, number)
		}
	}
	return nil
}
