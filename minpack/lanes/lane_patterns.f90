! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Patterns in the predictors of a data set, which spare models work.
!>
!> An image with its lines one after the other has few coordinates, each many times: one coordinate is the same along a
!> line, and the other is that of the line before. What a model makes of either alone is worked out once for each.
!>
!> Over evenly spaced predictors, exponentials and waves are products of few others. Rows are taken in runs. Row k of a
!> run, counted from 0, is at x = first + k step + off, where `off` is what rounding left:
!> exp(-r x) = exp(-r first) exp(-r step)**k (1 - r off), and the powers are the same in all runs.
module lane_patterns
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: line_of, step_of

    integer, parameter, public :: run = 8   !! rows of a run

    !> The most that a row may be off, in steps: then the square of what it changes is lost in rounding.
    real(wp), parameter :: most_off = 2.0_wp**(-36)

contains

    !> Points of a line of an image: positive if the first coordinate changes along it, negative if the second does.
    !> Zero if these are not the points of an image, or of one that has hardly fewer coordinates than points. This
    !> depends on one data set alone, and so do the numbers of its fit.
    pure integer function line_of(m, predictors, x) result(line)
        integer, intent(in) :: m                        !! points
        integer, intent(in) :: predictors
        real(wp), intent(in) :: x(m, predictors)        !! predictors

        line = 0
        if (predictors /= 2 .or. m < 2) return
        if (x(1, 2) == x(2, 2)) then
            line = points_of_line(m, x(:, 1), x(:, 2))
        else if (x(1, 1) == x(2, 1)) then
            line = -points_of_line(m, x(:, 2), x(:, 1))
        end if
    end function line_of

    !> Points of a line along which `fast` changes and `slow` does not, or zero.
    pure integer function points_of_line(m, fast, slow) result(points)
        integer, intent(in) :: m
        real(wp), intent(in) :: fast(m), slow(m)

        integer :: count, i

        points = 0
        do count = 1, m - 1
            if (.not. slow(count + 1) == slow(1)) exit
        end do
        if (mod(m, count) /= 0 .or. 2*(count + m/count) > m) return
        do i = 1, m
            if (.not. (fast(i) == fast(mod(i - 1, count) + 1) .and. slow(i) == slow(i - mod(i - 1, count)))) return
        end do
        points = count
    end function points_of_line

    !> The step from row to row of a block, or zero: if rows are not evenly spaced, or so few that it is no use.
    pure function step_of(rows, x) result(step)
        integer, intent(in) :: rows
        real(wp), intent(in) :: x(rows)
        real(wp) :: step

        real(wp) :: limit, kept
        integer :: first, i

        step = 0.0_wp
        if (rows < 2*run) return
        step = (x(rows) - x(1))*(1.0_wp/(rows - 1))
        limit = most_off*abs(step)
        kept = merge(1.0_wp, 0.0_wp, limit > 0.0_wp .and. limit < huge(limit))
        do first = 1, rows, run
            !$omp simd reduction(min:kept)
            do i = first, min(first + run - 1, rows)
                ! Zero for NaN, too.
                kept = min(kept, merge(1.0_wp, 0.0_wp, abs((x(i) - x(first)) - (i - first)*step) <= limit))
            end do
            if (kept == 0.0_wp) exit
        end do
        if (kept == 0.0_wp) step = 0.0_wp
    end function step_of

end module lane_patterns
