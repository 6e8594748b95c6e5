! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The test problems that are systems of equations in x: residuals f and Jacobian at x.
!>
!> Reference: J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing unconstrained optimization software,
!> ACM Trans. Math. Softw. 7 (1981) 17-41, functions 1, 2, 7, 13, 16, 20, 27 and 35.
module algebraic_problems
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: rosenbrock, freudenstein_roth, helical_valley, powell_singular, brown_dennis, watson, &
              brown_almost_linear, chebyquad

    real(wp), parameter :: pi = acos(-1.0_wp)

contains

    pure subroutine rosenbrock(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (2)
        real(wp), intent(out) :: f(:)               !! residuals (2)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (2, 2)

        f = [10.0_wp*(x(2) - x(1)**2), 1.0_wp - x(1)]
        jac(1, :) = [-20.0_wp*x(1), 10.0_wp]
        jac(2, :) = [-1.0_wp, 0.0_wp]
    end subroutine rosenbrock

    pure subroutine freudenstein_roth(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (2)
        real(wp), intent(out) :: f(:)               !! residuals (2)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (2, 2)

        f(1) = -13.0_wp + x(1) + ((5.0_wp - x(2))*x(2) - 2.0_wp)*x(2)
        f(2) = -29.0_wp + x(1) + ((x(2) + 1.0_wp)*x(2) - 14.0_wp)*x(2)
        jac(:, 1) = 1.0_wp
        jac(1, 2) = (10.0_wp - 3.0_wp*x(2))*x(2) - 2.0_wp
        jac(2, 2) = (3.0_wp*x(2) + 2.0_wp)*x(2) - 14.0_wp
    end subroutine freudenstein_roth

    !> A parabolic valley wound around the third axis.
    pure subroutine helical_valley(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (3)
        real(wp), intent(out) :: f(:)               !! residuals (3)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (3, 3)

        real(wp) :: turns, radius

        ! The cut of the angle lies on the negative x(2) axis, not where atan2 has it.
        if (x(1) == 0.0_wp) then
            turns = sign(0.25_wp, x(2))
        else
            turns = atan(x(2)/x(1))/(2.0_wp*pi)
            if (x(1) < 0.0_wp) turns = turns + 0.5_wp
        end if
        radius = sqrt(x(1)**2 + x(2)**2)
        f = [10.0_wp*(x(3) - 10.0_wp*turns), 10.0_wp*(radius - 1.0_wp), x(3)]
        jac(1, :) = [50.0_wp*x(2)/(pi*radius**2), -50.0_wp*x(1)/(pi*radius**2), 10.0_wp]
        jac(2, :) = [10.0_wp*x(1)/radius, 10.0_wp*x(2)/radius, 0.0_wp]
        jac(3, :) = [0.0_wp, 0.0_wp, 1.0_wp]
    end subroutine helical_valley

    !> The Jacobian is singular at the solution.
    pure subroutine powell_singular(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (4)
        real(wp), intent(out) :: f(:)               !! residuals (4)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (4, 4)

        real(wp), parameter :: root5 = sqrt(5.0_wp), root10 = sqrt(10.0_wp)
        real(wp) :: a, b

        a = x(2) - 2.0_wp*x(3)
        b = x(1) - x(4)
        f = [x(1) + 10.0_wp*x(2), root5*(x(3) - x(4)), a**2, root10*b**2]
        jac(1, :) = [1.0_wp, 10.0_wp, 0.0_wp, 0.0_wp]
        jac(2, :) = [0.0_wp, 0.0_wp, root5, -root5]
        jac(3, :) = [0.0_wp, 2.0_wp*a, -4.0_wp*a, 0.0_wp]
        jac(4, :) = [2.0_wp*root10*b, 0.0_wp, 0.0_wp, -2.0_wp*root10*b]
    end subroutine powell_singular

    pure subroutine brown_dennis(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (4)
        real(wp), intent(out) :: f(:)               !! residuals (m)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (m, 4)

        real(wp) :: t, a, b
        integer :: i

        do i = 1, size(f)
            t = i/5.0_wp
            a = x(1) + t*x(2) - exp(t)
            b = x(3) + sin(t)*x(4) - cos(t)
            f(i) = a**2 + b**2
            jac(i, :) = 2.0_wp*[a, a*t, b, b*sin(t)]
        end do
    end subroutine brown_dennis

    !> A polynomial of degree n - 1 made to satisfy y' = y² + 1 at 29 points, y(0) = 0 and y'(0) = 1.
    pure subroutine watson(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (n)
        real(wp), intent(out) :: f(:)               !! residuals (31)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (31, n)

        real(wp) :: powers(size(x)), slopes(size(x)), t, y
        integer :: i, j

        do i = 1, 29
            t = i/29.0_wp
            powers = [(t**(j - 1), j=1, size(x))]
            slopes = [0.0_wp, (j*powers(j), j=1, size(x) - 1)]
            y = dot_product(powers, x)
            f(i) = dot_product(slopes, x) - y**2 - 1.0_wp
            jac(i, :) = slopes - 2.0_wp*y*powers
        end do
        f(30) = x(1)
        f(31) = x(2) - x(1)**2 - 1.0_wp
        jac(30:31, :) = 0.0_wp
        jac(30, 1) = 1.0_wp
        jac(31, 1:2) = [-2.0_wp*x(1), 1.0_wp]
    end subroutine watson

    !> All equations linear but the last, which is the product of the parameters.
    pure subroutine brown_almost_linear(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (n)
        real(wp), intent(out) :: f(:)               !! residuals (n)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (n, n)

        integer :: j, n

        n = size(x)
        f = x + sum(x) - (n + 1)
        f(n) = product(x) - 1.0_wp
        jac = 1.0_wp
        do j = 1, n
            jac(j, j) = 2.0_wp
            jac(n, j) = product(x(:j - 1))*product(x(j + 1:))
        end do
    end subroutine brown_almost_linear

    !> Nodes x of an equal-weight quadrature rule on [0, 1], exact for the shifted Chebyshev polynomials.
    pure subroutine chebyquad(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (n)
        real(wp), intent(out) :: f(:)               !! residuals (m)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (m, n)

        real(wp), dimension(size(x)) :: y, polynomial, previous, next, slope, previous_slope, next_slope
        integer :: i

        y = 2.0_wp*x - 1.0_wp
        previous = 1.0_wp
        previous_slope = 0.0_wp
        polynomial = y
        slope = 2.0_wp
        do i = 1, size(f)
            f(i) = sum(polynomial)/size(x)
            if (mod(i, 2) == 0) f(i) = f(i) + 1.0_wp/(real(i, wp)**2 - 1.0_wp)
            jac(i, :) = slope/size(x)
            next = 2.0_wp*y*polynomial - previous
            next_slope = 4.0_wp*polynomial + 2.0_wp*y*slope - previous_slope
            previous = polynomial
            previous_slope = slope
            polynomial = next
            slope = next_slope
        end do
    end subroutine chebyquad

end module algebraic_problems
