"""What each server is known to get wrong: a strict expected failure each, so that a server which mends it is noticed.

The README publishes this table: users learn which stores keep which promise.
"""

FAULTS: dict[str, dict[str, str]] = {
    "moto": {
        "test_put_tags_may_clear_the_set": "answers 500 to an empty TagSet",
        "test_a_delete_with_another_etag_fails_for_that_key_alone": "ignores the ETag of DeleteObjects",
    },
    "SeaweedFS": {
        "test_keys_are_names_not_paths": "stores a//b as a/b",
        "test_dots_in_keys_mean_nothing": "refuses keys with . or .. as a part",
        "test_a_missing_bucket_is_not_created": "creates a bucket by putting an object into it",
    },
}
