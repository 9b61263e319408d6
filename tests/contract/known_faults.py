"""What each server is known to get wrong: a strict expected failure each, so that a server which mends it is noticed.

By server, then by test, in whatever folder that test lies: `test_name` for all its cases, `test_name[case]` for one. The README
publishes this (see servers/promises.py): users learn which stores keep which promise.
"""

FAULTS: dict[str, dict[str, str]] = {
    "moto": {
        "test_a_delete_with_another_etag_fails_for_that_key_alone[bulk]": "ignores the etag",
        "test_a_form_is_stored_with_its_tag": "drops the tag",
        "test_a_refused_form_still_works": "looks at no policy",
        "test_a_refused_ticket_still_works": "verifies nothing",
        "test_a_size_in_a_lifecycle_rule_reads_back": "drops sizes",
        "test_a_tag_that_was_not_signed_is_refused": "verifies nothing",
        "test_an_expired_url_is_refused": "verifies nothing",
        "test_an_object_names_the_rule_that_will_expire_it": "sends no such header",
        "test_eventbridge_is_one_item": "never gives EventBridge back",
        "test_every_ticket_has_a_key_of_its_own": "verifies nothing",
        "test_put_tags_may_clear_the_set": "answers 500 to an empty TagSet",
        "test_suspended_versions_keep_what_was_kept": "deletes every version where versioning is suspended",
        "test_what_was_stored_before_a_suspension_comes_back": "deletes every version where versioning is suspended",
    },
    "seaweedfs": {
        "test_a_form_is_completed_like_any_upload": "rejects the field `tagging`",
        "test_a_form_is_stored_with_its_tag": "rejects the field `tagging`",
        "test_a_missing_bucket_is_not_created": "creates a bucket by putting an object into it",
        "test_a_part_is_replaced_as_a_whole[notifications]": "knows no notifications",
        "test_a_part_without_items_is_removed[notifications]": "knows no notifications",
        "test_a_policy_keeps_its_version_and_its_id": "drops a policy's Id",
        "test_a_refused_form_still_works": "rejects the field `tagging`",
        "test_a_replayed_form_is_noticed": "rejects the field `tagging`",
        "test_a_slash_sorts_like_any_other_byte": "lists a/x before a-b",
        "test_an_object_names_the_rule_that_will_expire_it": "sends no such header",
        "test_dots_in_keys_mean_nothing": "refuses . and .. as a part",
        "test_eventbridge_is_one_item": "knows no notifications",
        "test_keys_are_names_not_paths": "stores a//b as a/b",
        "test_public_access_is_switches": "knows no public access block",
        "test_reading_twice_reads_the_same[notifications]": "knows no notifications",
        "test_what_is_put_reads_back[notifications]": "knows no notifications",
        "test_what_was_read_can_be_put_again[notifications]": "knows no notifications",
    },
    "ceph": {
        "test_a_delete_with_another_etag_fails_for_that_key_alone": "ignores the etag",
        "test_a_lifecycle_rule_reads_back_word_for_word": "drops `And`",
        "test_a_multipart_upload_keeps_its_tags": "loses them",
        "test_a_multipart_upload_overwrites_nothing": "ignores `If-None-Match` there",
        "test_a_part_is_replaced_as_a_whole[notifications]": "a put adds to what is there",
        "test_a_part_without_items_is_removed[notifications]": "takes no empty configuration",
        "test_a_size_in_a_lifecycle_rule_reads_back": "drops sizes",
        "test_a_tag_that_was_not_signed_is_refused": "heeds them: tag, ACL, even `x-amz-copy-source`",
        "test_eventbridge_is_one_item": "knows topics alone",
        "test_ownership_is_in_s3s_words": "knows no object ownership",
        "test_tagging_anew_keeps_the_time": "sets it",
        "test_unsigned_amz_headers_are_refused": "heeds them: tag, ACL, even `x-amz-copy-source`",
        "test_where_versions_are_suspended_the_rule_leaves_no_bytes": "expires nothing where versioning is suspended",
    },
}
