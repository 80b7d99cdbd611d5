"""/metrics as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families

from helpers.serving import A, B, encoded, serving


def test_requests_batches_and_the_queue_are_counted() -> None:
    with serving(batch_size=2) as client:
        client.answer("/predict", files=[("file", ("a.png", encoded(A))), ("file", ("b.png", encoded(B)))])
        client.post("/predict", b"no image")
        client.post("/v2/models/detector/infer", b"{")
        for address in ("/a", "/b", "/" + "c" * 500):
            client.get(address)
        response = client.get("/metrics")
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        families = {family.name: family for family in text_string_to_metric_families(response.text)}
        assert families["ssd_requests"].type == "counter"
        counted = {
            (sample.labels["endpoint"], sample.labels["status"]): sample.value
            for sample in families["ssd_requests"].samples
            if sample.name == "ssd_requests_total"
        }
        assert counted == {
            ("/predict", "200"): 1,
            ("/predict", "400"): 1,
            ("/v2/models/detector/infer", "400"): 1,
            ("other", "404"): 3,  # whatever was asked for
        }
        assert families["ssd_request_seconds"].type == "histogram"
        assert client.metric("ssd_request_seconds_count", endpoint="/predict") == 2
        assert client.metric("ssd_request_seconds_bucket", endpoint="/predict", le="+Inf") == 2
        assert client.metric("ssd_batch_images_sum") == 2
        assert 1 <= client.metric("ssd_batch_images_count") <= 2
        assert 0 < client.metric("ssd_batch_seconds_sum") < 5
        assert families["ssd_queue_images"].samples[0].value == 0
        assert "process_resident_memory_bytes" in families


def test_each_server_counts_for_itself() -> None:
    with serving() as one, serving() as other:
        one.answer("/predict", encoded(A))
        assert one.metric("ssd_batch_images_sum") == 1
        assert other.metric("ssd_batch_images_sum") == 0
