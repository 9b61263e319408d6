"""The sweep and the full run on AWS Lambda, by EventBridge Scheduler, as a CloudFormation template.

The function is a container image that holds reconciler; one at a time runs, and a run that failed is not tried again at once. The
table's URL is a parameter that CloudFormation shows to nobody.
"""

from collections.abc import Mapping
from typing import Any

from reconciler.core.exports.running import JOURNAL, Job, Running, check_cron, weekdays

HANDLER = "reconciler.integrations.scheduled.handler"
LONGEST = 900  # seconds: Lambda's own limit
_SPREAD = 15  # minutes within which the scheduler may choose


def lambda_schedule(running: Running) -> dict[str, Any]:
    """Return the template."""
    jobs = {f"{job.name.capitalize()}Schedule": _schedule(job) for job in running.jobs}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "reconciler: the sweep and the full run, by the clock.",
        "Parameters": _PARAMETERS,
        "Resources": {"Function": _function(running.environment), "Log": _LOG, "SchedulerRole": _SCHEDULER_ROLE, **jobs},
    }


_PARAMETERS = {
    "ImageUri": {"Type": "String", "Description": "The container image in ECR, with reconciler and awslambdaric in it."},
    "FunctionRoleArn": {
        "Type": "String",
        "Description": "What the function runs as: iam-reconciler.json, and AWSLambdaBasicExecutionRole for its log.",
        "AllowedPattern": r"arn:aws[a-z-]*:iam::\d{12}:role/.+",
    },
    "TableUrl": {"Type": "String", "Description": "RECONCILER_TABLE_URL.", "NoEcho": True},
    "LogDays": {"Type": "Number", "Default": 365, "Description": "How long the log, and with it the journal, is kept."},
}
_LOG = {
    "Type": "AWS::Logs::LogGroup",
    "DeletionPolicy": "Retain",
    "UpdateReplacePolicy": "Retain",
    "Properties": {"RetentionInDays": {"Ref": "LogDays"}},
}
_SCHEDULER_ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "scheduler.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
                }
            ],
        },
        "Policies": [
            {
                "PolicyName": "invoke",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "lambda:InvokeFunction",
                            "Resource": {"Fn::GetAtt": ["Function", "Arn"]},
                        }
                    ],
                },
            }
        ],
    },
}


def _function(environment: Mapping[str, str]) -> dict[str, Any]:
    variables = {**environment, "RECONCILER_JOURNAL": JOURNAL, "RECONCILER_TABLE_URL": {"Ref": "TableUrl"}}
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Description": "Keeps a bucket of direct uploads and its table in step.",
            "PackageType": "Image",
            "Code": {"ImageUri": {"Ref": "ImageUri"}},
            "ImageConfig": {"EntryPoint": ["python", "-m", "awslambdaric"], "Command": [HANDLER]},
            "Role": {"Ref": "FunctionRoleArn"},
            "MemorySize": 512,
            "Timeout": LONGEST,
            "ReservedConcurrentExecutions": 1,
            "Environment": {"Variables": variables},
            "LoggingConfig": {"LogGroup": {"Ref": "Log"}},
        },
    }


def _schedule(job: Job) -> dict[str, Any]:
    return {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "Description": f"reconciler {job.name}: {job.about}.",
            "ScheduleExpression": aws_cron(job.at),
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": _SPREAD},
            "Target": {
                "Arn": {"Fn::GetAtt": ["Function", "Arn"]},
                "RoleArn": {"Fn::GetAtt": ["SchedulerRole", "Arn"]},
                "Input": f'{{"run": "{job.command[0]}"}}',
                "RetryPolicy": {"MaximumRetryAttempts": 0},
            },
        },
    }


def aws_cron(line: str) -> str:
    """Return a cron line as EventBridge Scheduler writes it: Sunday is 1, and one of the two kinds of day is a question mark."""
    minute, hour, day, month, weekday = check_cron(line)
    if weekday == "*":
        return f"cron({minute} {hour} {day} {month} ? *)"
    days = ",".join(str(each + 1) for each in weekdays(weekday))
    return f"cron({minute} {hour} ? {month} {days} *)"
